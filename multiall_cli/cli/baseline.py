"""multiall baseline: whether servers are well, by rules."""

import re
import time
from collections.abc import Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from typer import Context

from multiall_cli.cli import completion
from multiall_cli.cli.context import (
    ask,
    fleet,
    fleet_with_progress,
    must_ask,
    not_reached,
    options_of,
    require_complete,
)
from multiall_cli.cli.interrupt import Interrupt
from multiall_cli.cli.options import Noun, Verb
from multiall_cli.cli.render import baseline as render
from multiall_cli.cli.render.health_exports import FORMS
from multiall_cli.cli.render.result import show
from multiall_cli.cli.render.times import must_end_once, seconds_of
from multiall_cli.cli.rounds import pause_of
from multiall_cli.cli.stdio import is_gone
from multiall_cli.domain.baseline import Code, ServerHealth, Status
from multiall_cli.domain.errors import Refused, UsageError
from multiall_cli.planning.durations import ZONED, parse_timestamp

app = typer.Typer(
    cls=Noun,
    no_args_is_help=True,
    add_completion=False,
    help="Health by rules: check, status, watch, history, rules, explain, waive, waivers, revoke, "
    "remedy, learn, test, lint, packs, checks, codes.",
)

MOST_ROUNDS = 1_000_000
DRIFT_EVERY = 600.0  # seconds of a watch in which what pools declare is looked at once
Target = Annotated[
    str, typer.Argument(metavar="[TARGET]", autocompletion=completion.targets, help="Servers; else all.")
]


class FailOn(StrEnum):
    WARNING = "warning"
    CRITICAL = "critical"


_LEAST = {FailOn.WARNING: Code.WARN_LIMIT, FailOn.CRITICAL: Code.CRIT_LIMIT}
Least = Annotated[FailOn, typer.Option("--fail-on", help="The least that makes it exit 10.")]


class Formed(Verb):
    """A verb whose answer other programs read in forms of their own."""

    drawings = tuple(FORMS)


@app.command("check", cls=Formed)
def check(
    context: Context,
    target: Target = "",
    fail_on: Least = FailOn.WARNING,
    drift: Annotated[
        bool, typer.Option("--drift/--no-drift", help="Whether syncs would change anything is looked at too.")
    ] = True,
) -> int:
    """Look at every rule of servers, one call each. Exit 0: all well; 10: problems; 3: some are not known."""
    with fleet_with_progress(context, "check") as (found, pause):
        answers = list(found.baseline.check(target, drift=drift))
        pause()
        left = not_reached(found, target, [each.server for each in answers])
        return show(options_of(context), render.checked(found.baseline.summarize(answers), left, _LEAST[fail_on].rank))


@app.command("status", cls=Formed)
def status(context: Context, target: Target = "", fail_on: Least = FailOn.WARNING) -> int:
    """How servers stood when they were last looked at; none is asked. Exit codes as of `check`."""
    with fleet(context) as found:
        health = found.baseline.summarize(found.baseline.saved(target))
        return show(options_of(context), render.checked(health, (), _LEAST[fail_on].rank, "baseline.status"))


@app.command("watch", cls=Verb)
def watch(
    context: Context,
    target: Target = "",
    every: Annotated[str, typer.Option("--every", metavar="SPAN", help="Between two looks: 10s, 1m.")] = "30s",
    rounds: Annotated[int, typer.Option("--rounds", metavar="N", min=1, help="End after so many.")] = MOST_ROUNDS,
) -> int:
    """Look again and again over open sessions, and print what changes as it changes. Ctrl-C ends it."""
    pause = pause_of(every, "baseline watch")
    interrupt = Interrupt(b"\nending the watch\n")
    with fleet(context, stop=interrupt.asked) as found, interrupt:
        found.topology.keep_warm()
        stood: dict[str, ServerHealth] = {}
        drifted = -DRIFT_EVERY
        for number in range(rounds):
            began = time.monotonic()
            drifts = time.monotonic() - drifted >= DRIFT_EVERY
            drifted = began if drifts else drifted
            answers = list(found.baseline.check(target, drift=drifts))
            if interrupt.asked():
                break
            if not number:
                show(options_of(context), render.checked(found.baseline.summarize(answers), (), Code.WARN_LIMIT.rank))
            else:
                _tell_changes(context, stood, answers)
            stood = {each.server: each for each in answers}
            if number == rounds - 1 or interrupt.wait(pause - (time.monotonic() - began)) or is_gone():
                break
    return 0


def _tell_changes(context: Context, before: Mapping[str, ServerHealth], answers: Sequence[ServerHealth]) -> None:
    for each in answers:
        known = before.get(each.server)
        if _moved(known, each):
            show(options_of(context), render.moved(known, each))
        held = {own.rule: own for own in known.statuses} if known is not None else {}
        for own in each.statuses:
            if _turned(held.get(own.rule), own):
                show(options_of(context), render.turned(each.server, held.get(own.rule), own))


def _moved(before: ServerHealth | None, after: ServerHealth) -> bool:
    """Whether it went away, or came back."""
    return bool(after.trouble) != bool(before is not None and before.trouble)


def _turned(before: Status | None, after: Status) -> bool:
    return before is not after and (before is None or before.code // 100 != after.code // 100)


@app.command("history", cls=Verb)
def history(
    context: Context,
    rule: Annotated[str, typer.Argument(metavar="RULE", help="The rule.")],
    on: Annotated[str, typer.Option("--on", metavar="TARGET", help="Servers; else all that have it.")] = "",
    span: Annotated[str, typer.Option("--for", metavar="SPAN", help="How far back: 6h, 7d.")] = "1d",
) -> int:
    """How a rule stood over a time: each look as a bar, and when it went into another class."""
    since = time.time() - seconds_of(span, "baseline history")
    with fleet(context) as found:
        return show(options_of(context), render.history(found.baseline.history(rule, on, since)))


@app.command("rules", cls=Verb)
def rules(context: Context, target: Target = "") -> int:
    """Which rules servers have."""
    with fleet(context) as found:
        servers = found.servers.select_or_all(target)
        return show(options_of(context), render.rules({each.name: found.baseline.rules(each.name) for each in servers}))


@app.command("explain", cls=Verb)
def explain(
    context: Context,
    server: Annotated[str, typer.Argument(metavar="SERVER", autocompletion=completion.servers, help="The server.")],
    rule: Annotated[str, typer.Argument(metavar="[RULE]", help="One of its rules; else all.")] = "",
) -> int:
    """The rules of a server, and which file:line:col gave each of their values."""
    with fleet(context) as found:
        return show(options_of(context), render.explained(server, found.baseline.rules(server, rule)))


@app.command("waive", cls=Verb)
def waive(
    context: Context,
    rule: Annotated[str, typer.Argument(metavar="RULE", help="The rule, or a pattern such as 'disk.*'.")],
    on: Annotated[
        str, typer.Option("--on", metavar="TARGET", autocompletion=completion.targets, help="On which servers.")
    ] = "",
    span: Annotated[str, typer.Option("--for", metavar="SPAN", help="For so long: 12h, 14d.")] = "",
    until: Annotated[
        str, typer.Option("--until", metavar="TIME", help="Until then, with its zone: 2026-12-31T18:00+01:00.")
    ] = "",
    because: Annotated[str, typer.Option("--because", metavar="TEXT", help="Why; it is shown and kept.")] = "",
) -> int:
    """Let a rule fail on servers until a time: it is shown as exempt, and counts as no problem."""
    if not on:
        raise UsageError(_WAIVE, "it is about no servers", "add --on TARGET; `--on @web` for a pool")
    must_end_once(span, until, _WAIVE, "add --for 14d, or --until 2026-12-31T18:00+01:00")
    if not because.strip():
        raise UsageError(_WAIVE, "no reason is given", "add --because TEXT: whoever finds it later will ask")
    ends = time.time() + seconds_of(span, _WAIVE) if span else _zoned(until)
    with fleet(context) as found:
        return show(options_of(context), render.waived(found.baseline.waive(rule, on, ends, because.strip())))


_WAIVE = "baseline waive"


def _zoned(text: str) -> float:
    try:
        return parse_timestamp(text)
    except ValueError:
        raise UsageError(_WAIVE, f"{text!r} is no time with its zone", ZONED) from None


@app.command("waivers", cls=Verb)
def waivers(context: Context) -> int:
    """The waivers that hold: of the store, with their numbers, and of the inventory."""
    with fleet(context) as found:
        return show(options_of(context), render.waivers(found.baseline.waivers()))


@app.command("revoke", cls=Verb)
def revoke(
    context: Context,
    number: Annotated[str, typer.Argument(metavar="NUMBER", help="Its number in `multiall baseline waivers`.")],
) -> int:
    """End a waiver now."""
    if not re.fullmatch("[0-9]{1,18}", number):
        what = "a waiver is named by its number, and this is none"
        raise UsageError(f"waiver {number}", what, "its number stands in `multiall baseline waivers`")
    with fleet(context) as found:
        return show(options_of(context), render.revoked(found.baseline.revoke(int(number))))


@app.command("remedy", cls=Verb)
def remedy(
    context: Context,
    target: Target = "",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only show what would be done; exit 10: something.")
    ] = False,
) -> int:
    """Apply the remedies of rules that fail, until one does not help.

    Exit 3: that, or a server was not seen, or what still fails was remedied a short while ago.
    """
    asks = not dry_run and must_ask(context)
    with fleet_with_progress(context, "remedy") as (found, pause):
        planned = found.baseline.remedies(target)
        pause()
        require_complete(found, "baseline remedy")
        if dry_run or not planned.chosen:
            return show(options_of(context), render.remedies(planned))
        if asks:
            render.show_remedies(planned)
            if not ask(f"remedy: {len(planned.chosen)} to apply. Go on?"):
                raise Refused("baseline remedy", "not confirmed; nothing was done", "run it again, or add --yes")
        done = found.baseline.remedy(planned.chosen)
        pause()
        return show(options_of(context), render.remedied(planned, done))


@app.command("learn", cls=Verb)
def learn(
    context: Context,
    target: Annotated[str, typer.Argument(metavar="TARGET", autocompletion=completion.targets, help="Servers.")],
    to: Annotated[
        Path | None, typer.Option("--to", metavar="FILE", help="Write it there, into a new file; else it is printed.")
    ] = None,
) -> int:
    """A pack of rules of what servers run and hold now: of several, what most share. Exit 3: some did not tell."""
    with fleet_with_progress(context, "learn") as (found, pause):
        learned = found.baseline.learn(target)
        pause()
        require_complete(found, "baseline learn")
        return show(options_of(context), render.learned(learned, to))


@app.command("test", cls=Verb)
def try_out(
    context: Context, pack: Annotated[str, typer.Argument(metavar="[PACK]", help="One pack; else all.")] = ""
) -> int:
    """Try the rules of packs on the examples under their `tests:`. Exit 10: one does not do what it should."""
    with fleet(context) as found:
        return show(options_of(context), render.tried(found.baseline.test_pack(pack)))


@app.command("lint", cls=Verb)
def lint(context: Context) -> int:
    """What is odd about the site's rules, though it can be used. Exit 10: something is."""
    with fleet(context) as found:
        return show(options_of(context), render.linted(found.baseline.lint()))


@app.command("packs", cls=Verb)
def packs(context: Context) -> int:
    """The packs of rules that a pool can take: the site's and those that are shipped."""
    with fleet(context) as found:
        return show(options_of(context), render.packs(found.site.packs, found.inventory))


@app.command("checks", cls=Verb)
def checks(context: Context) -> int:
    """What a rule can look at: subjects, values, and how they are written."""
    return show(options_of(context), render.checks())


@app.command("codes", cls=Verb)
def codes(context: Context) -> int:
    """The status codes: their numbers never change their meaning."""
    return show(options_of(context), render.codes())
