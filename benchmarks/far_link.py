"""`exec true` over lines of 100 ms there and back, cold: `python -m benchmarks.far_link [ROUNDS]`."""

import sys

from benchmarks.ground import ground
from benchmarks.race import keep, race
from multiall_cli.lab.real.faults import FaultKind

HOSTS = 10
GOALS = {"ssh in xargs": 3.0, "pyinfra": 3.0}


def main(rounds: int = 5) -> None:
    with ground(HOSTS) as made:
        for name in made.lab.names:
            made.lab.do(name, FaultKind.LINE, delay=0.05)
        runners = [
            made.multiall("exec", "@web", "--", "true"),
            made.each("ssh in xargs", f"{made.ssh()} {{}} true"),
            made.runner("pyinfra", "pyinfra", "-y", str(made.folder / "hosts.py"), "exec", "--", "true"),
        ]
        keep("far_link", [race(f"exec true on {HOSTS} hosts over 100 ms, cold", runners, rounds, GOALS)])


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
