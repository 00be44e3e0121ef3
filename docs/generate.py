"""Writes pages from the code: commands, exit codes, the site's files, the comparison. `--check` only compares."""

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from typer._click import Context
from typer.main import get_command

from multiall_cli.cli.app import ROOMS, app
from multiall_cli.domain.exits import MEANINGS
from multiall_cli.fleet.sites import schemas
from tests.comparison import table

DOCS = Path(__file__).parent
HEAD = "<!-- Generated from the code by `./dev docs`: change it there. -->\n\n"


def commands() -> str:
    """Every verb with its own help, as it is printed in 80 columns."""
    root = get_command(app)
    lines = ["# Commands", "", "Every verb takes the options of `multiall` itself, before it or after it.", ""]
    lines += _help(Context(root, info_name="multiall", terminal_width=80))
    for name in ROOMS:
        lines += _below(Context(root, info_name="multiall"), root.get_command(None, name), name)
    return "\n".join(lines) + "\n"


def _below(parent: Context, command: object, name: str) -> Iterator[str]:
    context = Context(command, info_name=name, parent=parent, terminal_width=80)
    yield from _help(context)
    for below in getattr(command, "commands", {}):
        yield from _below(context, command.commands[below], below)


def _help(context: Context) -> Iterator[str]:
    depth = 2 + context.command_path.count(" ")
    yield f"{'#' * min(depth, 4)} {context.command_path}"
    yield ""
    yield "```text"
    yield from context.command.get_help(context).splitlines()
    yield "```"
    yield ""


def exit_codes() -> str:
    """The table that scripts may rely on."""
    rows = "".join(f"| {code.value} | {meaning} |\n" for code, meaning in MEANINGS.items())
    words = "The same in every output format; a code never changes its meaning."
    return f"# Exit codes\n\n{words}\n\n| code | meaning |\n|---|---|\n{rows}"


def site_files() -> str:
    """Every key of the site's files, from the schemas that editors use."""
    lines = ["# The files of a site", ""]
    for name, text in schemas().items():
        lines += _schema(name, json.loads(text))
    return "\n".join(lines)


def _schema(name: str, schema: Mapping[str, object]) -> Iterator[str]:
    yield f"## {schema.get('title', name)}"
    yield ""
    if words := schema.get("description"):
        yield f"{words}\n"
    definitions = schema.get("$defs", {})
    for kind, definition in definitions.items():  # type: ignore[attr-defined]
        yield f"### {definition.get('title', kind)}"
        yield ""
        if words := definition.get("description"):
            yield f"{words}\n"
        yield "| key | value | meaning |"
        yield "|---|---|---|"
        for key, value in definition.get("properties", {}).items():
            yield f"| `{key}` | {_kind(value)} | {value.get('description', '')} |".replace("\n", " ")
        yield ""


def _kind(value: Mapping[str, object]) -> str:
    """The kinds of value that a key takes; `none` is left out: it is the same as leaving out the key."""
    choices = value.get("anyOf")
    if isinstance(choices, list):
        return " or ".join(dict.fromkeys(_kind(each) for each in choices))
    if "enum" in value:
        return " or ".join(f"`{each}`" for each in value["enum"])  # type: ignore[attr-defined]
    if "$ref" in value:
        return str(value["$ref"]).rsplit("/", 1)[-1]
    if value.get("type") == "array":
        items = value.get("items")
        return f"list of {_kind(items)}" if isinstance(items, dict) and items else "list"
    return {"object": "table", "null": "nothing"}.get(str(value.get("type")), str(value.get("type", "anything")))


PAGES = {
    "reference/commands.md": commands,
    "reference/exit-codes.md": exit_codes,
    "reference/site-files.md": site_files,
    "explanation/comparison.md": table.page,
}


def main() -> int:
    """0 where the pages are as the code says (or were written so), 1 where --check found one that is not."""
    stale = []
    for name, write in PAGES.items():
        text = HEAD + write()
        page = DOCS / name
        if not page.exists() or page.read_text("utf-8") != text:
            stale.append(name)
            if "--check" not in sys.argv:
                page.write_text(text, "utf-8")
    sys.stderr.write("".join(f"{name}: {'differs' if '--check' in sys.argv else 'written'}\n" for name in stale))
    return 1 if stale and "--check" in sys.argv else 0


if __name__ == "__main__":
    sys.exit(main())
