"""Starts a program and writes down the peak of its memory in kB: `measure.py REPORT PROGRAM ARGUMENT...`.

Small, because the kernel counts what the starter had as the program's.
"""

import os
import sys

report, *argv = sys.argv[1:]
child = os.posix_spawnp(argv[0], argv, os.environ)
_, status, usage = os.wait4(child, 0)
with open(report, "w") as file:
    file.write(str(usage.ru_maxrss))
sys.exit(os.waitstatus_to_exitcode(status) & 0xFF)
