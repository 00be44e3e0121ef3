"""One look at many servers, against fping, clush and ansible's ping: `python -m benchmarks.topology_scan [ROUNDS]`."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.ground import ground
from benchmarks.race import ROOT, Race, Runner, keep, race

PORT = 2299
HOSTS = 50
FPING = ("/usr/bin/fping", "-q", "-r", "1", "-i", "1")
RESPONDER = Path(__file__).with_name("responder.py")


@contextmanager
def many(count: int) -> Iterator[tuple[Runner, Runner]]:
    """Ours and fping over so many addresses of loopback, behind all of which one process answers."""
    addresses = [f"127.{1 + at // 62500}.{at // 250 % 250}.{at % 250 + 1}" for at in range(count)]
    answering = [sys.executable, "-IS", str(RESPONDER), str(PORT)]
    with (
        TemporaryDirectory(prefix="multiall-bench-") as folder,
        subprocess.Popen(answering, stdout=subprocess.PIPE) as responder,
    ):
        assert responder.stdout is not None  # noqa: S101  (it was asked for)
        responder.stdout.readline()
        site = Path(folder) / "site"
        (site / "inventory").mkdir(parents=True)
        servers = {f"s{at}": {"address": each, "ssh": {"port": PORT}} for at, each in enumerate(addresses)}
        (site / "inventory" / "all.yaml").write_text(json.dumps({"servers": servers}))
        (site / "multiall.yaml").write_text(json.dumps({"store": "./state"}))
        (Path(folder) / "addresses").write_text("".join(f"{each}\n" for each in addresses))
        argv = (sys.executable, "-m", "multiall_cli", "--site", str(site), "topology", "scan", "--quiet", "--no-logins")
        env = {"HOME": folder, "PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"}
        try:
            yield (
                Runner("multiall", argv, env, good=(0, 10)),
                Runner("fping", (*FPING, "-f", str(Path(folder) / "addresses")), env),
            )
        finally:
            responder.kill()


def loopback(count: int, rounds: int) -> Race:
    with many(count) as runners:
        return race(f"one look at {count:,} addresses of loopback", runners, rounds)


def lab(rounds: int) -> Race:
    """What clush and ansible need is a login; ours is told to log in nowhere, as from cron in most rounds."""
    with ground(HOSTS) as made:
        made.write()
        hosts = ",".join(made.lab.names)
        options = f"-F {made.lab.ssh_config}"
        runners = [
            made.multiall("topology", "scan", "--quiet", "--no-links", "--no-logins", good=(0, 10)),
            made.runner("fping", *FPING, *made.lab.addresses.values()),
            made.runner("clush true", "clush", "-f", str(HOSTS), "-o", options, "-w", hosts, "true"),
            made.ansible("ansible ping", "all", "-m", "ping"),
        ]
        return race(f"one look at {HOSTS} hosts with sshd", runners, rounds)


def main(rounds: int = 5) -> None:
    races: list[Race] = []
    for one in (lambda: loopback(1000, rounds), lambda: loopback(10_000, rounds), lambda: lab(rounds)):
        races.append(one())
        keep("topology_scan", races)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
