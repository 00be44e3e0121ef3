"""What an answer is made of where people read it: lines and tables, as data; and words on stderr."""

import sys
from collections.abc import Iterable, Sequence
from typing import IO, TYPE_CHECKING

from multiall_cli.cli.render.text import safe_text
from multiall_cli.domain.dataclass import dataclass

if TYPE_CHECKING:
    from multiall_cli.cli.render.rich_output import Screen

STYLES = {
    "ok": "green", "same": "green", "changed": "cyan", "done": "green", "known": "green",
    "create": "green", "update": "yellow", "delete": "red", "warning": "yellow",
    "failed": "red", "problem": "red", "conflict": "red", "deferred": "magenta", "left": "magenta",
}  # fmt: skip
"""Words that get a colour. Only words do: colour never says what the text does not."""


@dataclass(frozen=True, slots=True)
class Part:
    """Some of a line, in one style; safe to show."""

    text: str
    style: str = ""


@dataclass(frozen=True, slots=True)
class Line:
    """Wrapped by the terminal alone. A plain string is a line without style."""

    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Grid:
    """Columns under headings; long cells are folded, never cut."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Part, ...], ...]


def word(text: str) -> Part:
    """Coloured where it is one of the known words."""
    return Part(safe_text(text), STYLES.get(text, ""))


def line(*parts: str | Part, style: str = "") -> Line:
    """The text of a part that is no Part comes from outside, or may."""
    return Line(tuple(Part(safe_text(each), style) if isinstance(each, str) else each for each in parts))


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> Grid:
    """Cells are text from outside."""
    return Grid(tuple(column.upper() for column in columns), tuple(tuple(map(word, row)) for row in rows))


def console(stream: IO[str] | None = None) -> "Screen":
    """Where lines and tables are put."""
    from multiall_cli.cli.render.rich_output import on

    return on(sys.stdout if stream is None else stream)


def say(text: str) -> None:
    """Words for the admin, on stderr."""
    sys.stderr.write(safe_text(text) + "\n")
    sys.stderr.flush()
