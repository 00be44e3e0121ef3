"""multiall doctor: what is wrong, and what mends it."""

from typing import Annotated

import typer
from typer import Context

from multiall_cli.cli import completion
from multiall_cli.cli.context import fleet, fleet_with_progress, not_reached, options_of
from multiall_cli.cli.options import Verb
from multiall_cli.cli.render import servers as render
from multiall_cli.cli.render.document import say
from multiall_cli.cli.render.result import View, show

app = typer.Typer(add_completion=False)


@app.command(cls=Verb)
def doctor(
    context: Context,
    target: Annotated[
        str,
        typer.Argument(
            metavar="TARGET", autocompletion=completion.targets, show_default=False, help="Servers (else all)."
        ),
    ] = "",
    sudoers: Annotated[bool, typer.Option("--sudoers", help="Print the lines that `become: sudo` needs.")] = False,
) -> int:
    """Look at the site and at every connection, and say of each trouble what mends it."""
    if sudoers:
        with fleet(context) as found:
            lines = found.doctor.sudoers(target)
            if not lines:
                say("no server has `become: sudo`: nothing is needed")
            view = View("doctor.sudoers", {"lines": lines}, lambda wide: iter(lines), lines, lines, well=False)
            return show(options_of(context), view)
    with fleet_with_progress(context, "doctor") as (found, pause):
        order = {name: place for place, name in enumerate(found.inventory.servers)}
        findings = [
            *found.doctor.examine_site(),
            *sorted(found.doctor.examine(target), key=lambda each: order[each.subject]),
        ]
        pause()
        left = not_reached(found, target, [each.subject for each in findings])
        return show(options_of(context), render.findings(findings, left))
