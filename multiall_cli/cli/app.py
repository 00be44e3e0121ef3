"""The root of the tree: nouns and verbs by name, each room imported only when it is entered."""

from importlib import import_module
from typing import Annotated, Any

import typer
from typer import Context
from typer._click.shell_completion import CompletionItem
from typer.core import TyperGroup
from typer.main import get_command

from multiall_cli import __version__
from multiall_cli.cli.options import every_verb, refuse_verb, write_commands, write_exit_codes

ROOMS = {
    "init": ("init", "Make a site: the folder that says what your pools are."),
    "demo": ("demo", "See it work: five servers on this machine, nothing left behind."),
    "doctor": ("doctor", "Look at the site and every connection; say what mends it."),
    "exec": ("exec", "Run a command on many servers, equal output told once."),
    "cp": ("cp", "Copy files to servers, or from them."),
    "inventory": ("inventory", "The site's files: check, show, schema, import."),
    "pool": ("pool", "Pools: list, show, plan, sync, status, diff."),
    "server": ("server", "Servers: list, show, explain, facts, trust, shell."),
    "topology": (
        "topology",
        "Who reaches whom: scan, show, at, links, why, path, events, history, discover, verify, watch, drain, "
        "maintenance, pin, undrain.",
    ),
    "baseline": (
        "baseline",
        "Health by rules: check, status, watch, history, rules, explain, waive, waivers, revoke, remedy, learn, test, "
        "lint, packs, checks, codes.",
    ),
    "dns": (
        "dns",
        "Names that follow the topology: status, plan, sync, show, explain, drift, watch, wait, adopt, import, "
        "history, rollback, doctor.",
    ),
    "lab": ("lab", "Real hosts on this machine (root, Linux): up, down, status, shell, reset, break."),
    "journal": ("journal", "What was done, by whom, and what is still open."),
}
"""name → module of this package, and its line in the help: shown without importing it."""


class Root(TyperGroup):
    """`multiall` itself."""

    def __init__(self, **more: Any) -> None:
        more["params"] = [*(more.get("params") or []), *every_verb()]
        more["rich_markup_mode"] = None
        super().__init__(**more)

    def list_commands(self, ctx: Any) -> list[str]:
        return list(ROOMS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name not in ROOMS:
            return None
        room = import_module(f"multiall_cli.cli.{ROOMS[cmd_name][0]}")
        command = get_command(room.app)
        command.name = cmd_name
        return command

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        if not ctx.resilient_parsing and args[0] not in ROOMS:
            refuse_verb(ctx, args[0], ROOMS)
        return super().resolve_command(ctx, args)

    def shell_complete(self, ctx: Any, incomplete: str) -> list[CompletionItem]:
        """Names without entering their rooms."""
        if incomplete.startswith("-"):
            return super().shell_complete(ctx, incomplete)
        return [CompletionItem(name, help=words) for name, (_, words) in ROOMS.items() if name.startswith(incomplete)]

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        write_commands(formatter, ((name, words) for name, (_, words) in ROOMS.items()))

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        write_exit_codes(formatter)


app = typer.Typer(cls=Root, no_args_is_help=True, add_completion=True, pretty_exceptions_enable=False)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"multiall {__version__}")
        raise typer.Exit(0)


@app.callback()
def root(
    context: Context,
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Show it.")] = False,
) -> None:
    """Keep every server of a pool the same and healthy, over SSH, with nothing installed on the servers."""
