"""Our SSH sessions against fabric's own and the `ssh` client, interleaved: `python -m benchmarks.transport [ROUNDS]`.

Starts an sshd of its own on loopback. Client and server share the machine: read the ratios, not the seconds.
"""

import subprocess
import sys
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from statistics import median
from time import perf_counter, process_time

import fabric

from multiall_cli.adapters.secrets import reveal
from multiall_cli.adapters.ssh.transport import SshTransport
from tests.integration.sshd import Sshd, sshd
from tests.laws.doubles import Kept

COLD, AT_ONCE, WARM, CALLS, MEGABYTES = 50, 16, 100, 2000, 100


class Ours:
    """What a MultiAll run does."""

    def __init__(self, daemon: Sshd) -> None:
        self._transport = SshTransport(
            connect_timeout=10,
            timeout=60,
            known_hosts=[daemon.known_hosts],
            servers={},
            cache=Kept(),
            reveal=reveal,
            config_files=(),
        )
        self._server = daemon.server()
        self.session = self._transport.open(self._server)

    def cold(self) -> None:
        session = self._transport.open(self._server)
        session.run(["true"])
        session.close()

    def warm(self) -> None:
        for _ in range(WARM):
            self.session.run(["true"])

    def calls(self) -> None:
        for _ in range(CALLS):
            self.session.call("ping").value()

    def upload(self) -> None:
        self.session.run(["wc", "-c"], stdin=bytes(MEGABYTES << 20))

    def download(self) -> None:
        self.session.run(["head", "-c", str(MEGABYTES << 20), "/dev/zero"])


class Fabric:
    """`fabric.Connection.run`, as its documentation shows it."""

    def __init__(self, daemon: Sshd) -> None:
        self._daemon = daemon
        self.connection = self._connected()
        self.connection.open()

    def _connected(self) -> fabric.Connection:
        server = self._daemon.server()
        keys = {"key_filename": server.ssh.identity, "look_for_keys": False, "allow_agent": False}
        return fabric.Connection(server.address, user=server.ssh.user, port=server.ssh.port, connect_kwargs=keys)

    def cold(self) -> None:
        with self._connected() as connection:
            connection.run("true", hide=True)

    def warm(self) -> None:
        for _ in range(WARM):
            self.connection.run("true", hide=True)


class Client:
    """OpenSSH's client, with its quicker key exchange, once cold per command and once over a shared connection."""

    def __init__(self, daemon: Sshd) -> None:
        server = daemon.server()
        options = [f"UserKnownHostsFile={daemon.known_hosts}", "KexAlgorithms=curve25519-sha256"]
        known = [word for option in options for word in ("-o", option)]
        self._argv = ["ssh", "-F", "none", *known, "-p", str(server.ssh.port), "-i", str(server.ssh.identity)]
        self._to = f"{server.ssh.user}@{server.address}"
        self._shared = ["-S", str(daemon.folder / "mux")]
        subprocess.run([*self._argv, *self._shared, "-M", "-f", "-N", self._to], check=True)

    def _run(self, more: list[str], command: list[str]) -> None:
        subprocess.run([*self._argv, *more, self._to, *command], stdin=subprocess.DEVNULL, check=True)

    def cold(self) -> None:
        self._run([], ["true"])

    def warm(self) -> None:
        for _ in range(WARM):
            self._run(self._shared, ["true"])

    def upload(self) -> None:
        line = [*self._argv, *self._shared, self._to, "wc -c"]
        subprocess.run(line, input=bytes(MEGABYTES << 20), stdout=subprocess.DEVNULL, check=True)

    def download(self) -> None:
        line = [*self._argv, *self._shared, self._to, f"head -c {MEGABYTES << 20} /dev/zero"]
        subprocess.run(line, stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL, check=True)

    def close(self) -> None:
        subprocess.run([*self._argv, *self._shared, "-O", "exit", self._to], check=True, stderr=subprocess.DEVNULL)


def _many(one: Callable[[], None]) -> Callable[[], None]:
    def all_of_them() -> None:
        with ThreadPoolExecutor(AT_ONCE) as threads:
            list(threads.map(lambda _: one(), range(COLD)))

    return all_of_them


def _compare(label: str, count: float, unit: str, works: Mapping[str, Callable[[], None]], rounds: int) -> None:
    """Each in turn, round after round, so that a slow moment of the machine hits all alike."""
    walls: dict[str, list[float]] = {name: [] for name in works}
    cpus: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(rounds):
        for name, work in works.items():
            begun, used = perf_counter(), process_time()
            work()
            walls[name].append(perf_counter() - begun)
            cpus[name].append(process_time() - used)
    ours = median(walls["ours"])
    for name in works:
        wall, cpu = median(walls[name]), median(cpus[name])
        ratio = f"{wall / ours:6.2f} x" if name != "ours" else ""
        line = f"{label:28} {name:8} {count / wall:9.0f} {unit}/s  {wall:7.3f} s  cpu {cpu:6.3f} s  {ratio}"
        print(line)


def main(rounds: int) -> None:
    with sshd() as daemon:
        ours, theirs, client = Ours(daemon), Fabric(daemon), Client(daemon)
        try:
            _measure(ours, theirs, client, rounds)
        finally:
            ours.session.close()
            theirs.connection.close()
            client.close()


def _measure(ours: Ours, theirs: Fabric, client: Client, rounds: int) -> None:
    cold = {"ours": _many(ours.cold), "fabric": _many(theirs.cold), "ssh": _many(client.cold)}
    _compare(f"cold `true`, {AT_ONCE} at once", COLD, "logins", cold, rounds)
    warm = {"ours": ours.warm, "fabric": theirs.warm, "ssh": client.warm}
    _compare("warm `true`", WARM, "commands", warm, rounds)
    _compare("remote loop, ping", CALLS, "calls", {"ours": ours.calls}, rounds)
    _compare("up", MEGABYTES, "MB", {"ours": ours.upload, "ssh": client.upload}, rounds)
    _compare("down", MEGABYTES, "MB", {"ours": ours.download, "ssh": client.download}, rounds)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
