"""multiall inventory: the site's files."""

import json
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from typer import Context

from multiall_cli.cli.context import fleet, options_of
from multiall_cli.cli.options import Noun, Verb
from multiall_cli.cli.render.document import line, say, table, word
from multiall_cli.cli.render.result import View, show
from multiall_cli.cli.render.text import count, safe_lines
from multiall_cli.domain.errors import InputFaults, UsageError, printable
from multiall_cli.domain.inventory import Site
from multiall_cli.planning.addresses import shared_logins
from multiall_cli.planning.suggestions import did_you_mean
from multiall_cli.planning.targets import fold

app = typer.Typer(
    cls=Noun, no_args_is_help=True, add_completion=False, help="The site's files: check, show, schema, import."
)


_SCHEMAS = {"schema.json": "inventory", "settings.schema.json": "settings", "pack.schema.json": "pack"}
"""file → the name by which it is asked for."""


class Kind(StrEnum):
    SSH_CONFIG = "ssh-config"
    ANSIBLE = "ansible"


@app.command("check", cls=Verb)
def check(context: Context) -> int:
    """Read every file of the site; all faults at once, each with file:line:col and what to do."""
    with fleet(context) as found:
        return show(options_of(context), _checked(found.site))


@app.command("show", cls=Verb)
def show_inventory(context: Context) -> int:
    """Servers and pools as they are understood."""
    with fleet(context) as found:
        return show(options_of(context), _inventory(found.site))


@app.command("schema", cls=Verb)
def schema(
    context: Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="inventory, settings or pack.")] = "inventory",
) -> int:
    """The JSON Schema of a site's files, for editors."""
    from multiall_cli.fleet.sites import schemas

    known = {_SCHEMAS.get(file, file): text for file, text in schemas().items()}
    if name not in known:
        todo = f"{did_you_mean(name, known)}the schemas are {', '.join(known)}"
        raise UsageError("schema", f"there is none named '{name}'", todo)
    told = {"name": name, "json_schema": json.loads(known[name])}
    lines = known[name].splitlines()
    return show(
        options_of(context), View("inventory.schema", told, lambda wide: iter(lines), [told], [name], well=False)
    )


@app.command("import", cls=Verb)
def import_from(
    context: Context,
    kind: Annotated[Kind, typer.Argument(metavar="KIND", help="ssh-config or ansible.")],
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The file to take over.")],
    to: Annotated[
        Path | None, typer.Option("--to", metavar="FILE", help="Write it here (a new file), not to stdout.")
    ] = None,
) -> int:
    """Take over another tool's inventory; what could not be taken over is told on stderr."""
    from multiall_cli.fleet.sites import import_inventory

    try:
        text, dropped = import_inventory(kind.value, file)
    except InputFaults as fault:
        fault.subject, fault.what = printable(str(file)), f"{count(len(fault.faults), 'fault')} in it"
        fault.todo = "mend it and import it again"
        raise
    for each in dropped:
        say(f"left out: {each}")
    if to is not None:
        _write(to, text)
        say(f"wrote {to}; see it with `multiall inventory check`")
    told = {"text": text, "left_out": dropped, "to": to}
    lines = safe_lines(text).splitlines() if to is None else []
    return show(options_of(context), View("inventory.import", told, lambda wide: iter(lines), [told], well=False))


def _write(to: Path, text: str) -> None:
    """Errors: UsageError where the file is there already, or cannot be."""
    try:
        with to.open("x", encoding="utf-8") as target:
            target.write(text)
    except OSError as fault:
        raise UsageError(str(to), f"it cannot be written ({fault.strerror})", "name a new file") from None


def _checked(site: Site) -> View:
    servers, pools = len(site.inventory.servers), len(site.inventory.pools)
    warnings = [str(each) for each in shared_logins(site.inventory.servers.values())]
    told = {"root": site.root, "servers": servers, "pools": pools, "warnings": warnings}
    words = f"{site.root}: {count(servers, 'server')} and {count(pools, 'pool')}, no faults"

    def human(wide: bool) -> Iterator[object]:
        yield from (line(word("warning"), f" {each}") for each in warnings)
        yield words

    return View("inventory.check", told, human, [told], [site.root], well=not warnings)


def _inventory(site: Site) -> View:
    inventory = site.inventory

    def human(wide: bool) -> Iterator[object]:
        rows = [(pool.name, fold(pool.members), str(pool.origin)) for pool in inventory.pools.values()]
        yield table(("pool", "members", "from"), rows)
        lone = [name for name in inventory.servers if not inventory.pools_of(name)]
        if lone:
            yield f"in no pool: {fold(lone)}"

    return View("inventory.show", inventory, human, [inventory], list(inventory.servers), well=False)
