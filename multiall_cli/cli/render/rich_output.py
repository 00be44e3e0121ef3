"""Lines and tables on a stream, with colour and width as the terminal and its owner want. The one door to rich."""

import os
from collections.abc import Iterator, Sequence
from typing import IO

from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from multiall_cli.cli.render.document import Grid, Line, Part

WIDEST = 10_000  # columns where no terminal says how wide it is: nothing is wrapped in a pipe

RIGID = 24  # columns of ids, dates and names: a table that is too wide folds its longer ones first
GAP, LEAST = 2, 4  # between two columns; of one that is folded


class Screen(Console):
    """rich's console, but a closed pipe is our caller's business: rich would end the process with 1."""

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError


def on(stream: IO[str]) -> Screen:
    """A console that reads no markup, highlights nothing and wraps only on a terminal."""
    wide = not stream.isatty() and "COLUMNS" not in os.environ
    return Screen(file=stream, highlight=False, markup=False, emoji=False, width=WIDEST if wide else None)


def put(screen: Screen, piece: object) -> None:
    """A line, a table, or a string: that goes out as it is, tabs and all."""
    if isinstance(piece, str):
        screen.file.write(piece + "\n")
    elif isinstance(piece, Line):
        screen.print(Text.assemble(*(_styled(part) for part in piece.parts)), soft_wrap=True)
    elif isinstance(piece, Grid):
        screen.print(Trimmed(_table(piece, screen.width)))
    else:
        raise TypeError(f"{piece!r} is neither a line nor a table")


def _styled(part: Part) -> Text:
    return Text(part.text, style=part.style)


def _table(grid: Grid, width: int) -> Table:
    made = Table(box=None, pad_edge=False, padding=(0, GAP, 0, 0), header_style="bold")
    rigid = _rigid(grid, width)
    for place, column in enumerate(grid.columns):
        made.add_column(column, overflow="fold", no_wrap=place in rigid)
    for row in grid.rows:
        made.add_row(*map(_styled, row))
    return made


def _rigid(grid: Grid, width: int) -> set[int]:
    """The columns that are not folded, since such is cut: the short ones, as many as there is room for, the first one
    before all others: it has names and ids, which are copied.
    """
    longest = [
        max(len(column), *(len(row[place].text) for row in grid.rows)) if grid.rows else len(column)
        for place, column in enumerate(grid.columns)
    ]
    found, room = set[int](), width - sum(GAP + LEAST for _ in longest)
    for place in sorted(range(len(longest)), key=lambda place: (place > 0, longest[place])):
        if longest[place] <= RIGID and (room := room - max(0, longest[place] - LEAST)) >= 0:
            found.add(place)
    return found


class Trimmed:
    """A renderable without the blanks that rich puts at the ends of its lines."""

    def __init__(self, inner: RenderableType) -> None:
        self._inner = inner

    def __rich_console__(self, screen: Console, options: ConsoleOptions) -> RenderResult:
        for each in screen.render_lines(self._inner, options, pad=False):
            yield from _trimmed(each)
            yield Segment.line()


def _trimmed(segments: Sequence[Segment]) -> Iterator[Segment]:
    kept = list(segments)
    while kept and not kept[-1].text.strip(" "):
        kept.pop()
    yield from kept[:-1]
    if kept:
        yield Segment(kept[-1].text.rstrip(" "), kept[-1].style)
