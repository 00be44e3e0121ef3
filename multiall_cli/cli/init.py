"""multiall init: make a site."""

import shlex
from pathlib import Path
from typing import Annotated

import typer
from typer import Context

from multiall_cli.cli.context import options_of
from multiall_cli.cli.options import Verb
from multiall_cli.cli.render.result import View, show

app = typer.Typer(add_completion=False)


@app.command(cls=Verb)
def begin(
    context: Context, folder: Annotated[Path, typer.Argument(metavar="DIR", help="A new or empty folder.")]
) -> int:
    """Make a site in DIR, with the servers of ~/.ssh/config where there is one. Asks nothing, overwrites nothing."""
    from multiall_cli.fleet.sites import make_site

    written = make_site(folder)
    lines = [f"wrote {path}" for path in written]
    typed = f"multiall --site {shlex.quote(str(folder))}"
    lines += [f"next: {typed} inventory check", f"      {typed} doctor"]
    told = {"site": folder, "files": written}
    return show(
        options_of(context), View("init", told, lambda wide: iter(lines), [told], [str(p) for p in written], well=False)
    )
