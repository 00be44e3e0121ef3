"""Checks of accounts, groups and sudo rights."""

from collections.abc import Mapping

from multiall_cli.planning.checks.kinds import PRESENT, THERE, Check, access, text
from multiall_cli.planning.measures import Measure
from multiall_cli.planning.value_comparison import same_path

CHECKS: Mapping[str, Check] = {
    "user": Check(
        "An account.",
        {"name": Measure.TEXT},
        values={
            "present": PRESENT,
            "uid": text("its number", Measure.COUNT),
            "home": text("its folder", alike=same_path),
            "shell": text("its shell"),
            "groups": access("that are all among its own", Measure.WORDS),
        },
        implied=THERE,
    ),
    "group": Check(
        "A group.",
        {"name": Measure.TEXT},
        values={
            "present": PRESENT,
            "gid": text("its number", Measure.COUNT),
            "members": access("that are all among its own", Measure.WORDS),
        },
        implied=THERE,
    ),
    "sudoers": Check(
        "Whether sudo lets an account do anything, by itself or by its groups (/etc/sudoers and what it includes).",
        {"user": Measure.TEXT},
        values={
            "present": PRESENT,
            "nopasswd": access("whether anything without a password", Measure.FLAG),
        },
        implied=THERE,
    ),
}
