"""Checks of packages, services and containers."""

from collections.abc import Mapping

from multiall_cli.planning.checks.kinds import PRESENT, THERE, Check, Value, high, state, text
from multiall_cli.planning.measures import Measure

STOPPED: Mapping[str, object] = {"running": False, "enabled": False, "masked": False}
"""Values that a service has too if it is not installed."""
CHECKS: Mapping[str, Check] = {
    "package": Check(
        "A package of dpkg or rpm.",
        {"name": Measure.TEXT},
        {"at_least": Measure.TEXT},
        {
            "present": PRESENT,
            "version": text("exactly"),
            "recent": text("whether it is of version `at_least` or newer", Measure.FLAG),
        },
        THERE,
        asks={"at_least": "recent"},
    ),
    "service": Check(
        "A service of systemd or sysvinit.",
        {"name": Measure.TEXT},
        values={
            "present": PRESENT,
            "running": state("now"),
            "enabled": state("at the next start"),
            "masked": state("whether it can never be started"),
        },
        implied={"present": True, "running": True},
        absent=STOPPED,
        instead={"masked": ("running",)},
    ),
    "timer": Check(
        "A timer of systemd.",
        {"name": Measure.TEXT},
        values={
            "present": PRESENT,
            "running": state("whether it waits for its time"),
            "last": high(Measure.SECONDS, "since it last started its unit"),
        },
        implied={"present": True, "running": True},
        absent=STOPPED,
    ),
    "failed_units": Check(
        "Units of systemd that failed.",
        values={"count": high(Measure.COUNT, "how many")},
        implied={"count": (None, 1.0)},
    ),
    "container": Check(
        "A container of docker or podman.",
        {"name": Measure.TEXT},
        values={
            "present": PRESENT,
            "running": state("now"),
            "health": state("healthy, unhealthy, starting, as its own check says", Measure.TEXT),
            "restarts": high(Measure.COUNT, "since it was made"),
        },
        implied={"present": True, "running": True},
        absent=STOPPED,
    ),
    "command": Check(
        "A command of one's own; its words go to no shell.",
        {"argv": Measure.WORDS},
        {"stdout": Measure.PATTERN, "stderr": Measure.PATTERN},
        {
            "exit": text("its code", Measure.COUNT),
            "output": text("all that it prints, without spaces at its ends"),
            "stdout_matches": Value(Measure.FLAG, means="whether the pattern of `stdout` is found in what it prints"),
            "stderr_matches": Value(Measure.FLAG, means="whether that of `stderr` is found in its complaints"),
        },
        {"exit": 0},
        asks={"stdout": "stdout_matches", "stderr": "stderr_matches"},
    ),
}
