"""The options that every verb has, wherever on the line they stand, and the commands that carry them."""

import re
from collections.abc import Iterable, Sequence
from enum import StrEnum
from math import isnan
from typing import Annotated, Any, NoReturn

from typer import Context, Option
from typer._click.types import FloatRange, IntRange
from typer._types import TyperChoice
from typer.core import TyperCommand, TyperGroup, TyperOption

from multiall_cli.domain.dataclass import dataclass
from multiall_cli.domain.errors import UsageError
from multiall_cli.domain.exits import MEANINGS
from multiall_cli.planning.suggestions import did_you_mean


class Format(StrEnum):
    TABLE = "table"
    WIDE = "wide"
    JSON = "json"
    NDJSON = "ndjson"
    YAML = "yaml"
    NAME = "name"
    JUNIT = "junit"
    GITHUB = "github"


HUMAN = (Format.TABLE, Format.WIDE, Format.NAME)
"""Formats in which an error is words on stderr; in all others it is in the result's own form, on stdout."""


@dataclass(slots=True)
class Given:
    """What was said on the command line; None: not said. `understood`: the whole line has been read.

    `drawing`: a form of `-o` that only some verbs have; '' where it is one that all have.
    """

    site: str | None = None
    output: Format = Format.TABLE
    drawing: str = ""
    parallel: int | None = None
    timeout: float | None = None
    yes: bool = False
    quiet: bool = False
    debug: bool = False
    ask_become_pass: bool = False
    understood: bool = False


class Seconds(FloatRange):
    """A number of seconds within bounds. Not a number is within none, though no comparison says so."""

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        number = super().convert(value, param, ctx)
        if isnan(number):
            self.fail(f"{value!r} is not a valid float range", param, ctx)
        return number


LockWait = Annotated[
    float,
    Option(
        "--lock-wait",
        metavar="SECONDS",
        click_type=Seconds(min=0),
        show_default=False,
        help="Wait for another run this long.",
    ),
]


def _keep(context: Context, option: TyperOption, value: Any) -> None:
    """Note a value that was really said: one before the verb is not undone by a default after it."""
    source = context.get_parameter_source(option.name or "")
    if source is not None and source.name == "COMMANDLINE" and isinstance(context.obj, Given):
        if option.name == "json":
            context.obj.output = Format.JSON
        elif option.name == "output":
            known = value in list(Format)
            context.obj.output, context.obj.drawing = (Format(value), "") if known else (Format.TABLE, value)
        else:
            setattr(context.obj, option.name or "", value)


def _option(names: list[str], words: str, **more: Any) -> TyperOption:
    return TyperOption(param_decls=names, help=words, expose_value=False, callback=_keep, show_default=False, **more)


def every_verb(*, hidden: bool = False, drawings: Sequence[str] = ()) -> list[TyperOption]:
    """Fresh options: click binds each to one command. `drawings`: what `-o` takes besides."""
    words = [*(each.value for each in Format), *drawings]
    formats = TyperChoice(words)
    return [
        _option(
            ["--site"], "The site's folder (else MULTIALL_SITE, or the one above this folder).",
            metavar="DIR", hidden=hidden,
        ),
        _option(
            ["-o", "--output"], f"How the result is written: {', '.join(words)}.",
            type=formats, metavar="FORMAT", hidden=hidden,
        ),
        _option(["--json"], "The same as -o json.", is_flag=True, hidden=hidden),
        _option(["--parallel"], "How many servers at once.", type=IntRange(1, 1024), metavar="N", hidden=hidden),
        _option(
            ["--timeout"], "Longest silence of a server.",
            type=Seconds(0.1, 86400), metavar="SECONDS", hidden=hidden,
        ),
        _option(["-y", "--yes"], "Do not ask; for scripts.", is_flag=True, hidden=hidden),
        _option(["-q", "--quiet"], "Say nothing where all is well; for cron.", is_flag=True, hidden=hidden),
        _option(
            ["--ask-become-pass"], "Ask once for the password of sudo or su.", is_flag=True, hidden=hidden,
        ),
        _option(["--debug"], "Tracebacks, for reporting a fault.", is_flag=True, hidden=hidden),
    ]  # fmt: skip


def output_said(argv: Sequence[str]) -> Format | None:
    """The format that a line asks for, read without its grammar: for a line that the grammar refuses."""
    words = list(argv[: argv.index("--")] if "--" in argv else argv)
    found = None
    for word, after in zip(words, [*words, ""][1:], strict=True):
        if word == "--json":
            found = Format.JSON
        said = after if word in ("-o", "--output") else re.sub(r"^(--output=|-o=?)", "", word)
        if said in list(Format) and (said != word or word in ("-o", "--output")):
            found = Format(said)
    return found


def write_exit_codes(formatter: Any) -> None:
    """The one table of exit codes, below the help of everything."""
    with formatter.section("Exit codes"):
        formatter.write_dl([(str(code.value), meaning) for code, meaning in MEANINGS.items()])


def write_commands(formatter: Any, commands: Iterable[tuple[str, str]]) -> None:
    with formatter.section("Commands"):
        formatter.write_dl(list(commands))


def refuse_verb(context: Any, word: str, known: Iterable[str]) -> NoReturn:
    """Errors: UsageError with the nearest known name."""
    kind = "command" if context.parent is None else "verb"
    todo = f"{did_you_mean(word, known)}see `{context.command_path} --help`"
    raise UsageError(context.command_path, f"there is no {kind} '{word}'", todo)


def plain_usage(pieces: Iterable[str]) -> list[str]:
    """A usage line without the braces that typer puts around what is required."""
    return [re.sub(r"\{([^{}]*)\}", r"\1", piece) for piece in pieces]


class Verb(TyperCommand):
    """A command with the options of every verb, and the exit codes below its help."""

    drawings: Sequence[str] = ()
    """What `-o` takes besides the formats that all verbs have."""

    def __init__(self, name: str | None, **more: Any) -> None:
        more["params"] = [*(more.get("params") or []), *every_verb(drawings=self.drawings)]
        more["rich_markup_mode"] = None
        super().__init__(name, **more)

    def invoke(self, ctx: Any) -> Any:
        if isinstance(ctx.obj, Given):
            ctx.obj.understood = True
        return super().invoke(ctx)

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        return plain_usage(super().collect_usage_pieces(ctx))

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        write_exit_codes(formatter)


class Noun(TyperGroup):
    """A group of verbs, with the same exit codes below its help. Takes the options of its verbs too."""

    def __init__(self, **more: Any) -> None:
        more["params"] = [*(more.get("params") or []), *every_verb(hidden=True)]
        more["rich_markup_mode"] = None
        super().__init__(**more)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        if not ctx.resilient_parsing and self.get_command(ctx, args[0]) is None:
            refuse_verb(ctx, args[0], self.list_commands(ctx))
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Each verb with the first paragraph of its help, whole."""
        helps = {name: self.commands[name].help or "" for name in self.list_commands(ctx)}
        write_commands(formatter, ((name, " ".join(text.split("\n\n")[0].split())) for name, text in helps.items()))

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        write_exit_codes(formatter)
