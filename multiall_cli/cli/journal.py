"""multiall journal: what was done, by whom, and what is still open."""

from collections.abc import Iterator
from typing import Annotated

import typer
from typer import Context

from multiall_cli.cli import completion
from multiall_cli.cli.context import fleet, options_of
from multiall_cli.cli.options import Noun, Verb
from multiall_cli.cli.render.document import table
from multiall_cli.cli.render.result import View, show
from multiall_cli.cli.render.text import count, safe_text
from multiall_cli.cli.render.times import moment
from multiall_cli.domain.answer import Pending, RunDetails
from multiall_cli.domain.errors import UsageError
from multiall_cli.domain.exits import MEANINGS, Exit
from multiall_cli.domain.run import BacklogEntry, Entry, PendingHandler, Run
from multiall_cli.domain.scope import Scope, ScopeKind

app = typer.Typer(cls=Noun, no_args_is_help=True, add_completion=False, help="The journal: list, show, pending.")

MOST_RUNS = 1_000_000  # of one list

PoolFilter = Annotated[
    str, typer.Option("--pool", metavar="POOL", autocompletion=completion.pools, help="Only this pool.")
]


@app.command("list", cls=Verb)
def list_runs(
    context: Context,
    pool: PoolFilter = "",
    limit: Annotated[
        int, typer.Option("--limit", metavar="N", min=1, max=MOST_RUNS, help="How many, newest first.")
    ] = 20,
) -> int:
    """Runs that changed something or found someone away, newest first."""
    with fleet(context) as found:
        return show(
            options_of(context), _runs(found.journal.runs(limit, found.pools.find(pool).name if pool else None), pool)
        )


@app.command("show", cls=Verb)
def show_run(
    context: Context, run: Annotated[str, typer.Argument(metavar="ID", help="The id, or how it begins.")]
) -> int:
    """One run with every change: before, after, and how it came out."""
    if not run or not run.isascii():
        raise UsageError("journal show", f"'{run}' is no id", "`multiall journal list` shows them")
    with fleet(context) as found:
        return show(options_of(context), _run(found.journal.run(run)))


@app.command("pending", cls=Verb)
def show_pending(context: Context, pool: PoolFilter = "") -> int:
    """What is still open: changes of cut-off runs, runs that members missed, actions that are owed."""
    with fleet(context) as found:
        return show(options_of(context), _pending(found.journal.pending(found.pools.find(pool).name if pool else None)))


def _code(run: Run) -> str:
    """As short as a table wants it."""
    return "running or cut off" if run.result is None else f"{run.result.value} {run.result.name.lower()}"


def _ended(run: Run) -> str:
    return "running or cut off" if run.result is None else f"{run.result.value} {MEANINGS[run.result]}"


def _scope(scope: Scope) -> str:
    """A pool by its name alone, as most runs are about one."""
    return scope.name if scope.kind is ScopeKind.POOL else str(scope)


def _runs(runs: tuple[Run, ...], pool: str) -> View:
    def human(wide: bool) -> Iterator[object]:
        rows = [
            (run.id, run.verb, _scope(run.scope), f"{run.who}@{run.host}", moment(run.started), _code(run))
            for run in runs
        ]
        where = f" on {pool}" if pool else ""
        columns = ("run", "verb", "scope", "by", "began", "ended")
        yield table(columns, rows) if rows else f"nothing was run{where} so far"

    return View("journal.list", {"runs": runs}, human, runs, [run.id for run in runs], well=not runs)


def _entry_row(entry: Entry) -> tuple[str, ...]:
    words = f"{entry.before} ⇒ {entry.after}" if entry.before and entry.after else entry.before or entry.after
    return entry.server, entry.stage.value, entry.action, f"{entry.agent} {entry.key}", entry.detail or words


def _run(found: RunDetails) -> View:
    def human(wide: bool) -> Iterator[object]:
        run = found.run
        by = f"{run.who}@{run.host} (pid {run.pid})"
        yield safe_text(f"{run.id}: {run.verb} {_scope(run.scope)}, plan {run.plan}, by {by}")
        yield f"began {moment(run.started)}, " + (f"ended {moment(run.ended)}: " if run.ended else "") + _ended(run)
        if found.entries:
            yield table(("server", "stage", "action", "what", "how"), map(_entry_row, found.entries))
        for missed in found.missed_by:
            when = f"delivered by {missed.delivered_by}" if missed.delivered_by else "not delivered yet"
            yield safe_text(f"missed by {missed.server} ({missed.reason}): {when}")

    return View("journal.show", found, human, found.entries, [entry.key for entry in found.entries], well=False)


MOST_KEYS = 10  # of one server's part of a run, before they are counted instead


def _unsettled(entries: tuple[Entry, ...], *, all_of_them: bool) -> Iterator[tuple[str, str, str, str]]:
    """A row per change, or where a cut-off run left many, a row per server and agent (-o wide shows all)."""
    shared: dict[tuple[str, str, str], list[str]] = {}
    for entry in entries:
        shared.setdefault((entry.server, entry.agent, entry.run), []).append(entry.key)
    for (server, agent, run), keys in shared.items():
        if all_of_them or len(keys) <= MOST_KEYS:
            yield from ((server, "unsettled", f"{agent} {key}", run) for key in keys)
        else:
            yield server, "unsettled", f"{agent}: {count(len(keys), 'change')}", run


def _pending(found: Pending) -> View:
    nothing = not (found.entries or found.missed or found.handlers)

    def human(wide: bool) -> Iterator[object]:
        if nothing:
            yield "nothing is pending"
            return
        rows = list(_unsettled(found.entries, all_of_them=wide))
        rows += [(m.server, "missed", f"{_scope(m.scope)}: {m.reason}", m.run) for m in found.missed]
        rows += [(h.subject, "handler", h.action, h.run) for h in found.handlers]
        yield table(("server", "kind", "what", "run"), rows)
        yield f"{count(len(items), 'thing')} pending: the next sync (or the same copy again) settles them"

    items: list[Entry | BacklogEntry | PendingHandler] = [*found.entries, *found.missed, *found.handlers]
    names = list(dict.fromkeys(each.subject for each in items))
    return View("journal.pending", found, human, items, names, exit=Exit.OK if nothing else Exit.PARTIAL, well=nothing)
