"""Checks of databases."""

from collections.abc import Mapping

from multiall_cli.planning.checks.kinds import Check, high, state, text
from multiall_cli.planning.measures import Measure

CHECKS: Mapping[str, Check] = {
    "database": Check(
        "Whether a database (`engine`: postgresql or mysql) answers, asked without a password.",
        {"engine": Measure.TEXT},
        {"socket": Measure.TEXT, "address": Measure.TEXT, "port": Measure.PORT},
        {
            "open": state("whether it takes connections"),
            "took": high(Measure.SECONDS, "until it answered"),
            "version": text("as it greets with (mysql)"),
        },
        {"open": True},
    ),
    "replication": Check(
        "Replication of a database (`engine`: postgresql or mysql), asked with its own program, as `user` where one is"
        " named.",
        {"engine": Measure.TEXT},
        {"user": Measure.TEXT},
        {
            "role": state("primary or replica", Measure.TEXT),
            "running": state("whether a replica is fed; whether a primary feeds one"),
            "lag": high(Measure.SECONDS, "of a replica behind its primary; 0 of a primary"),
        },
        {"running": True},
    ),
}
