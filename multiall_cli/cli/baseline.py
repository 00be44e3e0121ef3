"""multiall baseline: whether servers are well, by rules."""

from enum import StrEnum
from typing import Annotated

import typer
from typer import Context

from multiall_cli.cli import complete
from multiall_cli.cli.context import busy_fleet, fleet, given, not_reached
from multiall_cli.cli.options import Noun, Verb
from multiall_cli.cli.render import baseline as render
from multiall_cli.cli.render.view import show
from multiall_cli.domain.baseline import Code

app = typer.Typer(
    cls=Noun, no_args_is_help=True, add_completion=False, help="Health by rules: check, explain, packs, checks, codes."
)


class FailOn(StrEnum):
    WARNING = "warning"
    CRITICAL = "critical"


_LEAST = {FailOn.WARNING: Code.WARN_LIMIT, FailOn.CRITICAL: Code.CRIT_LIMIT}


@app.command("check", cls=Verb)
def check(
    context: Context,
    target: Annotated[
        str, typer.Argument(metavar="[TARGET]", autocompletion=complete.targets, help="Servers; else all.")
    ] = "",
    fail_on: Annotated[FailOn, typer.Option("--fail-on", help="The least that makes it exit 10.")] = FailOn.WARNING,
) -> int:
    """Look at every rule of servers, one call each. Exit 0: all well; 10: problems; 3: some are not known."""
    with busy_fleet(context, "check") as (found, pause):
        order = {name: place for place, name in enumerate(found.inventory.servers)}
        answers = sorted(found.check(target), key=lambda each: order[each.server])
        pause()
        left = not_reached(found, target, [each.server for each in answers])
        return show(given(context), render.checked(answers, left, _LEAST[fail_on].rank))


@app.command("explain", cls=Verb)
def explain(
    context: Context,
    server: Annotated[str, typer.Argument(metavar="SERVER", autocompletion=complete.servers, help="The server.")],
    rule: Annotated[str, typer.Argument(metavar="[RULE]", help="One of its rules; else all.")] = "",
) -> int:
    """The rules of a server, and which file:line:col gave each of their values."""
    with fleet(context) as found:
        return show(given(context), render.explained(server, found.rules(server, rule)))


@app.command("packs", cls=Verb)
def packs(context: Context) -> int:
    """The packs of rules that a pool can take: the site's and those that are shipped."""
    with fleet(context) as found:
        return show(given(context), render.packs(found.site.packs, found.inventory))


@app.command("checks", cls=Verb)
def checks(context: Context) -> int:
    """What a rule can look at: subjects, values, and how they are written."""
    return show(given(context), render.checks())


@app.command("codes", cls=Verb)
def codes(context: Context) -> int:
    """The status codes: their numbers never change their meaning."""
    return show(given(context), render.codes())
