"""Runs one command, small and alone, and says what it took: `python -IS lap.py OUT ARGV…`.

A process's peak of memory counts from that of the one that started it, so it is not started from a large one.
"""

import json
import os
import sys
import time


def main(out, argv):
    began = time.perf_counter()
    pid = os.posix_spawnp(argv[0], argv, os.environ)
    _, status, used = os.wait4(pid, 0)
    told = {
        "wall": time.perf_counter() - began,
        "cpu": used.ru_utime + used.ru_stime,
        "peak": used.ru_maxrss * 1024,
        "code": os.waitstatus_to_exitcode(status),
    }
    with open(out, "w") as file:
        json.dump(told, file)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
