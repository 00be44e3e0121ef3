"""Checks of file systems, arrays, pools and volume groups."""

from collections.abc import Mapping

from multiall_cli.planning.checks.kinds import PRESENT, THERE, Check, high, low, state, text
from multiall_cli.planning.measures import Measure

CHECKS: Mapping[str, Check] = {
    "mount": Check(
        "A file system that is mounted at a path.",
        {"path": Measure.TEXT},
        values={
            "present": PRESENT,
            "type": text("its kind, such as ext4"),
            "options": text("that are all among its own", Measure.WORDS),
        },
        implied=THERE,
    ),
    "disk": Check(
        "The file system that a path is on.",
        {"path": Measure.TEXT},
        values={
            "present": PRESENT,
            "used": high(Measure.SHARE, "as df has it"),
            "free": low(Measure.BYTES, "for programs without rights"),
            "inodes": high(Measure.SHARE, "of them that are used"),
            "mounted": state("whether it is mounted at this very path, and the path is not on another one"),
        },
        implied=THERE,
    ),
    "raid": Check(
        "An array of the kernel (md), or all of them where none is named.",
        {},
        {"name": Measure.TEXT},
        {
            "present": PRESENT,
            "active": state("whether it runs"),
            "degraded": high(Measure.COUNT, "disks that it misses"),
            "syncing": state("whether it is being rebuilt"),
        },
        {"present": True, "active": True, "degraded": (None, 1.0)},
    ),
    "zpool": Check(
        "A pool of ZFS.",
        {"name": Measure.TEXT},
        values={
            "present": PRESENT,
            "state": state("ONLINE, DEGRADED, ...", Measure.TEXT),
            "used": high(Measure.SHARE, "of its room"),
        },
        implied={"present": True, "state": "ONLINE"},
    ),
    "lvm": Check(
        "A volume group.",
        {"name": Measure.TEXT},
        values={
            "present": PRESENT,
            "used": high(Measure.SHARE, "that volumes were given"),
            "free": low(Measure.BYTES, "that no volume was given"),
            "missing": high(Measure.COUNT, "disks that it misses"),
        },
        implied={"present": True, "missing": (None, 1.0)},
    ),
}
