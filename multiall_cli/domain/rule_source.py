"""Rule settings as written in files, each with its place."""

from collections.abc import Mapping
from dataclasses import field

from multiall_cli.domain.dataclass import dataclass
from multiall_cli.domain.errors import Origin

NOWHERE = Origin("built in", 0, 0)


@dataclass(frozen=True, slots=True)
class SourcedValue:
    """Value of a rule as written, a text or a list of texts, and its place."""

    value: str | tuple[str, ...]
    origin: Origin = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Example:
    """Example of a rule: good values, and bad values that override them."""

    good: "Saying"
    bad: tuple["Saying", ...]
    origin: Origin = field(default=NOWHERE, compare=False)


Saying = Mapping[str, SourcedValue]
"""Settings of one rule in a pack, a pool or a server: key → value."""
