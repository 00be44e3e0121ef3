"""The transports that need nothing but this machine, under their laws: local, memory, and SSH with the demo lab."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from multiall_cli.adapters.local import LocalTransport
from multiall_cli.adapters.memory import Asked, MemoryTransport, Told
from multiall_cli.adapters.secrets import reveal
from multiall_cli.adapters.ssh.transport import SshTransport
from multiall_cli.domain.errors import MemberFault, Unreachable
from multiall_cli.domain.inventory import ADMIN, Server, Ssh
from multiall_cli.lab import DemoLab
from tests.laws.doubles import Kept
from tests.laws.transports import FaultLaws, FaultyWorld, TransportLaws, World

WEB1 = Server(name="web1", address="web1")


@pytest.fixture(scope="module")
def memory() -> Iterator[MemoryTransport]:
    with MemoryTransport() as transport:
        yield transport


class TestLocal(TransportLaws):
    @pytest.fixture
    def world(self) -> World:
        return World(LocalTransport(), ADMIN, {"kind": "local"})


class TestMemory(TransportLaws):
    @pytest.fixture
    def world(self, memory: MemoryTransport) -> World:
        return World(memory, WEB1, {"kind": "memory"})


@pytest.fixture(scope="module")
def lab() -> Iterator[DemoLab]:
    with DemoLab.up(2) as lab:
        yield lab


def world_of(lab: DemoLab, name: str) -> FaultyWorld:
    address, port = lab.addresses[name]
    known = lab.site / "known_hosts"
    transport = SshTransport(
        connect_timeout=10,
        timeout=30,
        known_hosts=[known],
        servers={},
        cache=Kept(),
        reveal=reveal,
        config_files=(),
    )
    server = Server(name=name, address=address, ssh=Ssh(user="lab", port=port, identity=str(lab.key)))
    recipe = {"kind": "ssh", "address": address, "port": port, "user": "lab"}
    return FaultyWorld(transport, server, {**recipe, "identity": str(lab.key), "known_hosts": str(known)})


class TestLab(TransportLaws):
    @pytest.fixture
    def world(self, lab: DemoLab) -> World:
        return world_of(lab, "web1")


def python_after(folder: Path) -> Callable[[str], None]:
    """A `prelude` that puts a python3 of ours into a folder of the server's PATH."""

    def prelude(text: str) -> None:
        program = folder / "python3"
        program.write_text(f'#!/bin/sh\n{text}\nexec "{sys.executable}" "$@"\n')
        program.chmod(0o755)

    return prelude


class TestLabFaults(FaultLaws):
    @pytest.fixture
    def faulty(self, lab: DemoLab) -> Iterator[FaultyWorld]:
        world = world_of(lab, "web2")
        killed = []

        def kill() -> None:
            if not killed:
                lab.kill("web2")
            killed.append("web2")

        world.prelude, world.kill = python_after(lab.home("web2") / "bin"), kill
        yield world
        (lab.home("web2") / "bin" / "python3").unlink(missing_ok=True)
        if killed:
            lab.start("web2")


class TestMemoryFaults(FaultLaws):
    @pytest.fixture
    def pool(self) -> Iterator[MemoryTransport]:
        with MemoryTransport() as pool:
            yield pool

    @pytest.fixture
    def faulty(self, pool: MemoryTransport) -> FaultyWorld:
        prelude = python_after(pool.home("web1") / "bin")
        return FaultyWorld(pool, WEB1, prelude=prelude, kill=lambda: pool.down("web1"))

    def test_down_and_up(self, pool: MemoryTransport) -> None:
        pool.down("web1")
        with pytest.raises(Unreachable) as caught:
            pool.open(WEB1)
        assert caught.value.reason == "refused"
        pool.up("web1")
        assert pool.open(WEB1).run(["true"]).exit_code == 0

    def test_cut_after_some_bytes(self, pool: MemoryTransport) -> None:
        session = pool.open(WEB1)
        session.call("ping").value()
        pool.cut("web1", after=3_000_000)
        with pytest.raises(Unreachable, match="was cut"):
            session.call("ping", (bytes(1 << 20) for _ in range(20))).value()
        with pytest.raises(Unreachable):
            pool.open(WEB1)

    def test_silence_costs_no_time(self, pool: MemoryTransport) -> None:
        session = pool.open(WEB1)
        session.call("ping").value()
        pool.silence("web1")
        with pytest.raises(MemberFault, match="no answer to 'ping' for 3600 s"):
            session.call("ping", timeout=3600).value()

    def test_noise(self, pool: MemoryTransport) -> None:
        pool.noise("web1", b"Welcome!\n" * 100)
        assert pool.open(WEB1).call("ping").value() == {"bytes": 0}
        pool.noise("web1", b"Welcome!\n" * 100, endless=True)
        with pytest.raises(MemberFault, match="other output"):
            pool.open(WEB1).call("ping").value()

    def test_garbage_behind_the_greeting(self, pool: MemoryTransport) -> None:
        pool.garbage("web1", b"Z" * 100)
        with pytest.raises(MemberFault, match="invalid answer"):
            pool.open(WEB1).call("ping").value()

    def test_no_python_fault(self, pool: MemoryTransport) -> None:
        pool.no_python("web1")
        with pytest.raises(MemberFault, match="python3 is missing"):
            pool.open(WEB1).call("ping").value()

    def test_scripts_answer_for_programs(self, pool: MemoryTransport) -> None:
        asked: list[Asked] = []

        def nginx(what: Asked) -> Told:
            asked.append(what)
            return Told(1, b"out", b"no such directive")

        pool.script("nginx", nginx)
        done = pool.open(WEB1).run(["nginx", "-t"], stdin=b"in")
        assert (done.exit_code, done.stdout.whole(), done.stderr.whole()) == (1, b"out", b"no such directive")
        assert asked == [Asked("web1", ("nginx", "-t"), b"in")]

    def test_homes_are_apart_and_go_away(self) -> None:
        with MemoryTransport() as pool:
            for name in ("web1", "web2"):
                script = 'echo "$0 of $HOME" > ~/own; cat ~/own'
                said = pool.open(Server(name=name, address=name)).run(["sh", "-c", script, name]).stdout.head
                assert said.decode() == f"{name} of {pool.home(name)}\n"
                assert (pool.home(name) / "own").exists()
            folder = pool.home("web1").parent
        assert not folder.exists()
