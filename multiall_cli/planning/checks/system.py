"""Checks of the system: processes, memory, kernel and clock."""

from collections.abc import Mapping

from multiall_cli.planning.checks.kinds import PRESENT, THERE, Check, high, low, state, text
from multiall_cli.planning.measures import Measure
from multiall_cli.planning.value_comparison import same_spaces

CHECKS: Mapping[str, Check] = {
    "process": Check(
        "The processes of a name (up to 15 letters as `ps` has it, a longer one in full), or with a command line that "
        "a pattern is found in.",
        {},
        {"name": Measure.TEXT, "command": Measure.PATTERN, "user": Measure.TEXT},
        {
            "count": low(Measure.COUNT, "how many"),
            "age": low(Measure.SECONDS, "of the oldest"),
            "rss": high(Measure.BYTES, "memory that they hold, together"),
            "cpu": high(Measure.SHARE, "of one processor, together, since the look before", over=True),
        },
        {"count": (None, 1.0)},
        marked=True,
        either=("name", "command"),
    ),
    "zombies": Check(
        "Processes that ended and were not waited for.", values={"count": high(Measure.COUNT, "how many")}
    ),
    "load": Check(
        "The load averages, for each processor.",
        values={
            "one": high(Measure.NUMBER, "over a minute"),
            "five": high(Measure.NUMBER, "over five minutes"),
            "fifteen": high(Measure.NUMBER, "over a quarter of an hour"),
        },
    ),
    "cpu": Check(
        "What its processors did since the look before.",
        values={
            "used": high(Measure.SHARE, "of the time they worked", over=True),
            "iowait": high(Measure.SHARE, "of the time they waited for disks", over=True),
            "steal": high(Measure.SHARE, "of the time others had them (virtual machines)", over=True),
        },
        marked=True,
    ),
    "memory": Check(
        "Memory.",
        values={
            "available": low(Measure.SHARE, "that programs can still be given"),
            "free": low(Measure.BYTES, "the same in bytes"),
            "swap": high(Measure.SHARE, "of it that is used"),
        },
    ),
    "oom": Check(
        "Processes that the kernel killed because memory ran out.",
        values={"count": high(Measure.COUNT, "since the look before", over=True)},
        implied={"count": (None, 1.0)},
        marked=True,
    ),
    "pressure": Check(
        "How long tasks waited for cpu, memory or io in the last minute (PSI).",
        {"resource": Measure.TEXT},
        values={
            "some": high(Measure.SHARE, "of the time some waited"),
            "full": high(Measure.SHARE, "of the time all waited"),
        },
    ),
    "open_files": Check(
        "Open files of the whole system.", values={"used": high(Measure.SHARE, "of all that may be open")}
    ),
    "uptime": Check("Since when it runs.", values={"age": low(Measure.SECONDS, "since it was started")}),
    "clock": Check(
        "Its clock, against the admin host's.", values={"offset": high(Measure.SECONDS, "either way, at least")}
    ),
    "ntp": Check(
        "Whether its clock is kept right, as the kernel was told (chrony: with `rtcsync`).",
        values={
            "synchronised": state("whether it is"),
            "error": high(Measure.SECONDS, "as it is estimated there"),
        },
        implied={"synchronised": True},
    ),
    "sysctl": Check(
        "A setting of the kernel.",
        {"name": Measure.TEXT},
        values={"present": PRESENT, "value": text("as sysctl shows it", alike=same_spaces)},
        implied=THERE,
    ),
    "module": Check("A module of the kernel.", {"name": Measure.TEXT}, values={"present": PRESENT}, implied=THERE),
    "reboot": Check(
        "Whether a new kernel waits for a start.",
        values={"needed": state("whether it does")},
        implied={"needed": False},
    ),
}
