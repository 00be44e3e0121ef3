"""All benchmarks, or those that are named, and then the page: `python -m benchmarks [NAME…]`."""

import subprocess
import sys

ALL = (
    "start_up",
    "exec_many",
    "far_link",
    "file_sync",
    "topology_scan",
    "topology_seen",
    "topology_worlds",
    "baseline_check",
    "health_noise",
    "dns_zones",
    "dns_lab",
    "inventory",
    "transport",
)


def main(names: tuple[str, ...]) -> int:
    unknown = [name for name in names if name not in ALL]
    if unknown:
        print(f"{unknown[0]}: there is no such benchmark; they are {', '.join(ALL)}", file=sys.stderr)
        return 2
    for name in names:
        print(f"== {name}", flush=True)
        subprocess.run([sys.executable, "-m", f"benchmarks.{name}"], check=True)
    return subprocess.run([sys.executable, "-m", "benchmarks.page"], check=True).returncode


if __name__ == "__main__":
    sys.exit(main(tuple(sys.argv[1:]) or ALL))
