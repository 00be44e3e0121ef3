"""SSH against real OpenSSH servers on loopback, under the laws of transports."""

import getpass
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from multiall_cli.adapters.secrets import reveal
from multiall_cli.adapters.ssh.transport import SshTransport
from multiall_cli.domain.inventory import Server
from tests.integration.sshd import SSHD, Sshd, sshd
from tests.laws.doubles import Kept
from tests.laws.transports import FaultLaws, FaultyWorld, TransportLaws, World

pytestmark = [pytest.mark.sshd, pytest.mark.skipif(SSHD is None, reason="OpenSSH's sshd is not installed")]


def over(daemon: Sshd, servers: Mapping[str, Server] | None = None, connect_timeout: float = 10) -> SshTransport:
    return SshTransport(
        connect_timeout=connect_timeout,
        timeout=30,
        known_hosts=[daemon.known_hosts],
        servers=servers or {},
        cache=Kept(),
        reveal=reveal,
        config_files=(),
    )


@pytest.fixture(scope="module")
def daemon() -> Iterator[Sshd]:
    with sshd() as running:
        yield running


class TestOpenSsh(TransportLaws):
    @pytest.fixture
    def world(self, daemon: Sshd) -> World:
        recipe = {"kind": "ssh", "address": daemon.address, "port": daemon.port, "user": getpass.getuser()}
        own = {"identity": str(daemon.folder / "user"), "known_hosts": str(daemon.known_hosts)}
        return World(over(daemon), daemon.server(), {**recipe, **own})


class TestOpenSshFaults(FaultLaws):
    """Every command passes through a script of ours that can do to its output what login scripts do."""

    @pytest.fixture(scope="class")
    @classmethod
    def forced(cls, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Sshd, Path]]:
        script = tmp_path_factory.mktemp("forced") / "prelude"
        script.write_text("")
        with sshd([f"ForceCommand sh -c '. {script}; eval \"$SSH_ORIGINAL_COMMAND\"'"]) as running:
            yield running, script

    @pytest.fixture
    def faulty(self, forced: tuple[Sshd, Path]) -> Iterator[FaultyWorld]:
        daemon, script = forced

        def prelude(text: str) -> None:
            only_python = f'case "$SSH_ORIGINAL_COMMAND" in *python3*) {text};; esac'
            script.write_text(only_python)

        yield FaultyWorld(over(daemon), daemon.server(), prelude=prelude, kill=daemon.cut)
        script.write_text("")
