"""Run by a law in a process of its own: sends or receives 100 MB and prints the peak of its memory."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

from multiall_cli.domain.inventory import ADMIN, Server, Ssh
from multiall_cli.ports.transport import Transport


def made(recipe: dict[str, object]) -> tuple[Transport, Server]:
    if recipe["kind"] == "local":
        from multiall_cli.adapters.local import LocalTransport

        return LocalTransport(), ADMIN
    if recipe["kind"] == "memory":
        from multiall_cli.adapters.memory import MemoryTransport

        return MemoryTransport(), Server(name="web1", address="web1")
    return over_ssh(recipe)


def over_ssh(recipe: dict[str, object]) -> tuple[Transport, Server]:
    from multiall_cli.adapters.secrets import reveal
    from multiall_cli.adapters.ssh.transport import SshTransport
    from tests.laws.doubles import Kept

    transport = SshTransport(
        connect_timeout=10,
        timeout=30,
        known_hosts=[Path(str(recipe["known_hosts"]))],
        servers={},
        cache=Kept(),
        reveal=reveal,
        config_files=(),
    )
    ssh = Ssh(user=str(recipe["user"]), port=int(str(recipe["port"])), identity=str(recipe["identity"]))
    return transport, Server(name="web1", address=str(recipe["address"]), ssh=ssh)


def peak_mb() -> float:
    """VmHWM: unlike getrusage's ru_maxrss it does not begin with what the parent had."""
    lines = Path("/proc/self/status").read_text("ascii").splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))


def payload() -> Iterator[bytes]:
    for _ in range(100):
        yield bytes(1_000_000)


def main(what: str, recipe: dict[str, object]) -> None:
    transport, server = made(recipe)
    session = transport.open(server)
    if what == "output":
        done = session.run(["head", "-c", "100000000", "/dev/zero"])
        count = len(done.stdout.head) + done.stdout.dropped + len(done.stdout.tail)
    else:
        done = session.run(["true"])
        count = sum(map(len, session.call("ping", payload()).pieces()))
    session.close()
    transport.close()
    sys.stdout.write(json.dumps({"bytes": count, "peak_mb": peak_mb()}))


if __name__ == "__main__":
    main(sys.argv[1], json.loads(sys.argv[2]))
