"""How long a program takes to say anything: `python -m benchmarks.start_up [ROUNDS]`."""

import sys

from benchmarks.ground import ground
from benchmarks.race import OTHERS, ROOT, Runner, keep, race


def main(rounds: int = 10) -> None:
    peers = [Runner(f"{name} --version", (str(OTHERS / name), "--version")) for name in ("ansible", "pyinfra", "clush")]
    ours = (sys.executable, "-m", "multiall_cli")
    env = {"PYTHONPATH": str(ROOT)}
    with ground(3) as made:
        site = str(made.folder / "site")
        runners = [
            Runner("multiall --help", (*ours, "--help"), env),
            Runner("multiall pool list", (*ours, "--site", site, "pool", "list"), env),
            *peers,
        ]
        keep("start_up", [race("the first word", runners, rounds)])


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
