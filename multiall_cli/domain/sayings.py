"""What files say, word for word, with its place."""

from collections.abc import Mapping
from dataclasses import field

from multiall_cli.domain.dataclass import dataclass
from multiall_cli.domain.errors import Origin

NOWHERE = Origin("built in", 0, 0)


@dataclass(frozen=True, slots=True)
class Said:
    """A value of a rule as it is written, a text or a list of texts, and where."""

    value: str | tuple[str, ...]
    origin: Origin = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Example:
    """What a rule is tried on: values that are well, and, over these, values that are not."""

    good: "Saying"
    bad: tuple["Saying", ...]
    origin: Origin = field(default=NOWHERE, compare=False)


Saying = Mapping[str, Said]
"""What a pack, a pool or a server says of one rule: key → value."""
