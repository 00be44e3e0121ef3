"""One answer in any of the formats."""

import io
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import field

from multiall_cli.cli.options import Format, Given
from multiall_cli.cli.render.json_form import as_json, as_yaml, document, plain
from multiall_cli.cli.render.runners import write_commands
from multiall_cli.cli.render.text import safe_text
from multiall_cli.cli.stdio import silence
from multiall_cli.domain.dataclass import dataclass
from multiall_cli.domain.errors import MultiAllError, Origin
from multiall_cli.domain.exits import Exit
from multiall_cli.domain.rule_source import NOWHERE

MOST_QUIET_LINES = 50


@dataclass(frozen=True, slots=True)
class Case:
    """One thing that a pipeline can pass or fail on; `fault` '' : passed; `origin`: where it was asked for."""

    group: str
    name: str
    fault: str = ""
    origin: Origin = NOWHERE


@dataclass(frozen=True, slots=True)
class View:
    """What a verb found. `human` gives lines and tables (wide or not); `items` are ndjson's lines.

    `well`: nothing changed and all is as wanted, so that --quiet says nothing. `urgent`: the same as `human` with
    failures first, for --quiet, where that is another order. The last line is the sum: no shortening drops it.
    """

    schema: str
    value: object
    human: Callable[[bool], Iterable[object]]
    items: Sequence[object] = ()
    names: Sequence[str] = ()
    cases: Sequence[Case] = field(default=())
    exit: Exit = Exit.OK
    well: bool = True
    urgent: Callable[[], Iterable[object]] | None = None
    drawings: Mapping[str, Callable[[], str]] = field(default_factory=dict)
    """Forms that only this answer has, as texts that end in a line end."""
    codes: Mapping[str, int] = field(default_factory=dict)
    """Exit codes of forms that are read by programs with a table of codes of their own."""


def show(given: Given, view: View) -> int:
    """Print the view as it was asked for; the exit code, which no closed pipe changes, and no format but those with a
    table of their own.

    Errors: MultiAllError where it cannot be written.
    """
    code = view.codes.get(given.drawing, int(view.exit))
    try:
        if not (given.quiet and view.well):
            if given.drawing:
                sys.stdout.write(view.drawings[given.drawing]())
            else:
                _WRITERS[given.output](given, view)
            sys.stdout.flush()
    except BrokenPipeError:
        return silence(code)
    except OSError as fault:
        silence(view.exit)
        what = f"the result could not be written ({fault.strerror})"
        raise MultiAllError("stdout", what, "make room; what was done is in `multiall journal list`") from None
    return code


def _human(given: Given, view: View) -> None:
    from multiall_cli.cli.render.document import console
    from multiall_cli.cli.render.rich_output import put

    screen = console()
    if not given.quiet:
        for line in view.human(given.output is Format.WIDE):
            put(screen, line)
        return
    screen.file = io.StringIO()
    for line in view.urgent() if view.urgent else view.human(False):
        put(screen, line)
    told = screen.file.getvalue().splitlines()
    if len(told) > MOST_QUIET_LINES:
        more = len(told) - MOST_QUIET_LINES + 1
        told = [*told[: MOST_QUIET_LINES - 2], f"[... {more} more lines: run it without --quiet ...]", told[-1]]
    sys.stdout.write("".join(f"{line}\n" for line in told))


def _json(given: Given, view: View) -> None:
    sys.stdout.write(as_json(document(view.schema, view.value)))


def _ndjson(given: Given, view: View) -> None:
    for item in view.items:
        sys.stdout.write(as_json(document(view.schema, item), indent=None))


def _yaml(given: Given, view: View) -> None:
    sys.stdout.write(as_yaml(document(view.schema, view.value)))


def _names(given: Given, view: View) -> None:
    for name in view.names:
        sys.stdout.write(f"{safe_text(str(plain(name)))}\n")


def _junit(given: Given, view: View) -> None:
    from multiall_cli.cli.render.ci import junit

    sys.stdout.write(junit(view.schema, view.cases))


def _github(given: Given, view: View) -> None:
    from multiall_cli.cli.render.ci import github

    write_commands(sys.stdout, github(view.cases))


_WRITERS: dict[Format, Callable[[Given, View], None]] = {
    Format.TABLE: _human,
    Format.WIDE: _human,
    Format.JSON: _json,
    Format.NDJSON: _ndjson,
    Format.YAML: _yaml,
    Format.NAME: _names,
    Format.JUNIT: _junit,
    Format.GITHUB: _github,
}
