"""multiall dns: the names that clients look up, kept as the topology is."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from typer import Context

from multiall_cli.cli import completion
from multiall_cli.cli.context import ask, fleet, fleet_with_progress, must_ask, options_of
from multiall_cli.cli.interrupt import Interrupt
from multiall_cli.cli.options import LockWait, Noun, Verb
from multiall_cli.cli.render import zone_plans as render_plans
from multiall_cli.cli.render import zones as render
from multiall_cli.cli.render.result import show
from multiall_cli.cli.render.text import count
from multiall_cli.cli.render.times import seconds_of
from multiall_cli.cli.rounds import pause_of
from multiall_cli.cli.rounds import rounds as scans
from multiall_cli.domain.errors import Interrupted, UsageError
from multiall_cli.domain.records import Membership

if TYPE_CHECKING:
    from multiall_cli.domain.plan import Plan
    from multiall_cli.engine.sync import SyncOptions

app = typer.Typer(
    cls=Noun,
    no_args_is_help=True,
    add_completion=False,
    help="Names that follow the topology: status, plan, sync, show, explain, drift, watch, wait, adopt, import, "
    "history, rollback, doctor.",
)

LOOKS = 1.0  # seconds between two looks whether clients have let go
MOST_ROUNDS = 1_000_000_000  # of one watch

ZoneName = Annotated[
    str,
    typer.Argument(metavar="[ZONE]", autocompletion=completion.zones, show_default=False, help="The zone; else all."),
]
Forced = Annotated[
    list[str] | None,
    typer.Option(
        "--force-guard",
        metavar="NAME",
        help="Let this guard pass: zones.frozen, zones.empties, zones.changes, zones.hour, zones.unseen.",
    ),
]


def _options(
    context: Context,
    verb: str,
    pause: Callable[[], None],
    *,
    force_guard: list[str] | None = None,
    plan: str = "",
    lock_wait: float = 0.0,
) -> "SyncOptions":
    """Return the options; the plan is shown, and asked about where someone can answer. Raises UsageError."""
    from multiall_cli.engine.sync import SyncOptions

    asks = must_ask(context)

    def confirm(found: "Plan") -> bool:
        if not asks:
            return True
        pause()
        shown = render_plans.show_before_asking(found)
        changes, ours = count(len(shown.changes), "change"), count(shown.ours, "name")
        return ask(f"{verb}: {changes} in {shown.zone.shown}, which has {ours} of ours. Go on?")

    return SyncOptions(f"dns {verb}", plan, _opened(force_guard), lock_wait=lock_wait, confirm=confirm)


def _opened(names: list[str] | None) -> frozenset[str]:
    from multiall_cli.agents.zones.guards import NAMES
    from multiall_cli.planning.guard_names import opened

    return opened(names or [], {"zones": NAMES}, ["zones"])


@app.command("status", cls=Verb)
def status(context: Context, zone: ZoneName = "") -> int:
    """How each name server stands to its primary, and what clients may still hold. Exit 3: one is behind."""
    with fleet(context) as found:
        return show(options_of(context), render.status(found.zones.status(zone)))


@app.command("plan", cls=Verb)
def plan(context: Context, zone: ZoneName = "", force_guard: Forced = None) -> int:
    """What a sync would change; exit code 10 where there is anything."""
    with fleet_with_progress(context, "plan of zones") as (found, pause):
        told = found.zones.plan(zone, _opened(force_guard))
        pause()
        return show(options_of(context), render_plans.plans(told))


@app.command("sync", cls=Verb)
def sync(
    context: Context,
    zone: ZoneName = "",
    plan: Annotated[str, typer.Option("--plan", metavar="ID", help="Only if the plan is still this one.")] = "",
    force_guard: Forced = None,
    lock_wait: LockWait = 0.0,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show the plan, as `dns plan` does.")] = False,
) -> int:
    """Make every name as it is wanted now; shows the plan and asks first."""
    if dry_run:
        return _plan(context, zone, force_guard)
    with fleet_with_progress(context, "sync of zones") as (found, pause):
        if plan and not zone and len(found.inventory.zones) > 1:
            raise UsageError("dns sync", "a plan is of one zone, and none is named", f"dns sync ZONE --plan {plan}")
        options = _options(context, "sync", pause, force_guard=force_guard, plan=plan, lock_wait=lock_wait)
        told = found.zones.sync(zone, options)
        pause()
        return show(options_of(context), render_plans.reports(told))


_plan = plan


@app.command("show", cls=Verb)
def show_names(context: Context, zone: ZoneName = "") -> int:
    """What each name gives now, and who is out of it and why; -o wide: also the names that follow nothing."""
    with fleet(context) as found:
        return show(options_of(context), render.names(found.zones.plan(zone)))


@app.command("explain", cls=Verb)
def explain(
    context: Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="Such as www.example.net.")],
) -> int:
    """All about a name: who declares it, who is in it and why, its floor, its mark."""
    with fleet(context) as found:
        return show(options_of(context), render.explained(found.zones.explain(name)))


@app.command("drift", cls=Verb)
def drift(context: Context, zone: ZoneName = "") -> int:
    """What is not as we wrote it, and which servers are behind; exit code 10 where there is anything."""
    with fleet(context) as found:
        return show(options_of(context), render.drift(found.zones.drift(zone)))


@app.command("watch", cls=Verb)
def watch(
    context: Context,
    zone: ZoneName = "",
    every: Annotated[str, typer.Option("--every", metavar="SPAN", help="Between two scans: 2s, 30s, 1m.")] = "5s",
    rounds: Annotated[int, typer.Option("--rounds", metavar="N", min=1, help="End after so many scans.")] = MOST_ROUNDS,
) -> int:
    """Scan again and again, and make every name as it is wanted after each. Ctrl-C ends it; it needs --yes."""
    pause = pause_of(every, "dns watch")
    if not options_of(context).yes:
        raise UsageError("dns watch", "it changes zones and asks no one", "add --yes")
    interrupt = Interrupt(b"\nending the watch\n")
    with fleet(context, stop=interrupt.asked) as found, interrupt:
        options, before = _options(context, "watch", lambda: None), None
        for _ in scans(found, interrupt, pause, rounds):
            told = found.zones.sync(zone, options)
            if interrupt.asked() and not any(each.changed for each in told):
                break
            said = render_plans.amiss(told)
            if any(each.changed for each in told) or said != before:
                show(options_of(context), render_plans.reports(told))
            before = said
    return 0


@app.command("wait", cls=Verb)
def wait(
    context: Context,
    target: Annotated[
        str,
        typer.Argument(
            metavar="[TARGET]", autocompletion=completion.targets, show_default=False, help="Servers; else all."
        ),
    ] = "",
    within: Annotated[str, typer.Option("--within", metavar="SPAN", help="No longer than this: 30s, 5m.")] = "1h",
) -> int:
    """Wait until no name gives servers that are to leave, and no client holds them. Exit 3: one still may."""
    longest = time.time() + seconds_of(within, "dns wait")
    interrupt = Interrupt(b"\nending the wait\n")
    with fleet(context, stop=interrupt.asked) as found, interrupt:
        until, told = 0.0, False
        while True:
            names, left = found.zones.names_serving(target), found.zones.departures(target)
            until = max([until, *(each.until for each in left)])
            if (
                not (names or left)
                or any(each.stand is not Membership.OUT for _, each in names)
                or time.time() >= longest
            ):
                break  # all have let go, or some would be waited for in vain
            told = told or render.still_given(options_of(context), names)
            if interrupt.wait(min(LOOKS, longest - time.time())):
                raise Interrupted("dns wait", "interrupted before clients had let go", "run it again")
        return show(options_of(context), render.waited(names, left, until, found.zones.lagging() if left else ()))


@app.command("adopt", cls=Verb)
def adopt(
    context: Context,
    name: Annotated[str, typer.Argument(metavar="[NAME]", show_default=False, help="Such as www.example.net.")] = "",
    kind: Annotated[
        str, typer.Argument(metavar="[TYPE]", show_default=False, help="Such as A; else all declared.")
    ] = "",
    from_owner: Annotated[
        str,
        typer.Option("--from-owner", metavar="OWNER", help="Declared names with this owner's marks; without NAME all."),
    ] = "",
    force_guard: Forced = None,
) -> int:
    """Take over records that someone else made, as they are; the next sync may then change them."""
    if not name and not from_owner:
        raise UsageError("dns adopt", "no name is given", "name one, or add --from-owner OWNER")
    with fleet_with_progress(context, "adoption") as (found, pause):
        options = _options(context, "adopt", pause, force_guard=force_guard)
        told = found.zones.adopt(name, kind.upper(), options, from_owner)
        pause()
        return show(options_of(context), render_plans.reports(told))


@app.command("import", cls=Verb)
def import_zone(
    context: Context,
    zone: Annotated[str, typer.Argument(metavar="ZONE", autocompletion=completion.zones, help="The zone.")],
    file: Annotated[
        Path | None, typer.Option("--file", metavar="FILE", help="Of a zone's file, not of its primary.")
    ] = None,
) -> int:
    """Lines for the inventory: names of a zone that lead to members of a pool. Nothing is changed."""
    with fleet(context) as found:
        return show(options_of(context), render.proposed(found.zones.suggest(zone, file)))


@app.command("history", cls=Verb)
def history(
    context: Context,
    zone: ZoneName = "",
    limit: Annotated[int, typer.Option("--limit", metavar="N", min=1, max=10_000, help="How many, newest first.")] = 20,
) -> int:
    """The runs that changed zones, newest first; `multiall journal show ID` has each change."""
    with fleet(context) as found:
        return show(options_of(context), render.history(found.zones.history(zone, limit)))


@app.command("rollback", cls=Verb)
def rollback(
    context: Context,
    run: Annotated[str, typer.Argument(metavar="ID", help="The run's id, or how it begins.")],
    force_guard: Forced = None,
) -> int:
    """Undo what a run changed, where it is still as the run left it. A later sync may do it again."""
    with fleet_with_progress(context, "rollback") as (found, pause):
        told = found.zones.roll_back(run, _options(context, "rollback", pause, force_guard=force_guard))
        pause()
        return show(options_of(context), render_plans.reports(told))


@app.command("doctor", cls=Verb)
def doctor(
    context: Context,
    zone: ZoneName = "",
    lines: Annotated[bool, typer.Option("--lines", help="Print the lines of named.conf of all servers.")] = False,
) -> int:
    """Look whether the name servers let us do what we must; the lines of named.conf that are missing."""
    with fleet(context) as found:
        told, needed = found.zones.examine(zone)
        return show(options_of(context), render.findings(told, needed, all_lines=lines))
