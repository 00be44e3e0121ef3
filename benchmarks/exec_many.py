"""`exec true` on many hosts, each connected with anew: `python -m benchmarks.exec_many [ROUNDS [HOSTS…]]`."""

import sys

from benchmarks.ground import Ground, ground
from benchmarks.race import OTHERS, Race, keep, race

HOSTS = (10, 50, 200)
GOALS = {"ansible command": 10.0, "ansible raw": 5.0, "clush": 3.0, "pyinfra": 1.5, "parallel-ssh": 1.1}
PARALLEL_SSH = """\
import sys
from pssh.clients import ParallelSSHClient
key, *hosts = sys.argv[1:]
client = ParallelSSHClient(hosts, user="root", pkey=key, pool_size=len(hosts))
output = client.run_command("true")
client.join(output)
sys.exit(any(each.exit_code for each in output))
"""


def compared(made: Ground, rounds: int) -> Race:
    count = len(made.lab.names)
    (made.folder / "parallel.py").write_text(PARALLEL_SSH)
    names = f"{made.lab.names[0][:-1]}[1-{count}]"
    runners = [
        made.multiall("--parallel", str(count), "exec", "@web", "--", "true"),
        made.runner("parallel-ssh", str(OTHERS / "python"), str(made.folder / "parallel.py"), str(made.lab.key),
                    *made.lab.addresses.values()),
        made.runner("pyinfra", "pyinfra", "-y", "--parallel", str(count), str(made.folder / "hosts.py"),
                    "exec", "--", "true"),
        made.runner("clush", "clush", "-o", f"-F {made.lab.ssh_config}", "-f", str(count), "-w", names, "true"),
        made.each("ssh in xargs", f"{made.ssh()} {{}} true"),
        made.ansible("ansible raw", "all", "-m", "raw", "-a", "true"),
        made.ansible("ansible command", "all", "-m", "command", "-a", "true"),
    ]  # fmt: skip
    goals = GOALS if count == 50 else {}
    return race(f"exec true on {count} hosts, cold", runners, rounds, goals)


def main(rounds: int = 5, *counts: int) -> None:
    races = []
    for count in counts or HOSTS:
        with ground(count) as made:
            races.append(compared(made, rounds if count < 100 else 1))
    keep("exec_many", races)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
