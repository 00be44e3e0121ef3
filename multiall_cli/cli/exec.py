"""multiall exec: one command on many servers."""

import sys
from collections.abc import Sequence
from typing import Annotated, Any

import typer
from typer import Context

from multiall_cli.cli import completion
from multiall_cli.cli.context import fleet_with_progress, not_reached, options_of
from multiall_cli.cli.options import HUMAN, Verb
from multiall_cli.cli.render import servers as render
from multiall_cli.cli.render.result import show
from multiall_cli.domain.errors import UsageError

app = typer.Typer(add_completion=False)


class CommandVerb(Verb):
    """A verb whose last words are a command: from its first word on nothing is an option of ours, `--` or not."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        return super().parse_args(ctx, guarded(args, self._takes_value(ctx)))

    def _takes_value(self, ctx: Any) -> frozenset[str]:
        options = [each for each in self.get_params(ctx) if each.param_type_name == "option"]
        return frozenset(name for each in options if not getattr(each, "is_flag", False) for name in each.opts)


def guarded(args: Sequence[str], takes_value: frozenset[str]) -> list[str]:
    """The line with `--` before the command, where it was left out. A command begins at the second word that is no
    option, nor the value of one; the first is the target.
    """
    words = 0
    skip = False
    for place, word in enumerate(args):
        if skip:
            skip = False
        elif word == "--":
            break
        elif word.startswith("-") and word != "-":
            skip = word in takes_value
        else:
            words += 1
            if words == 2:
                return [*args[:place], "--", *args[place:]]
    return list(args)


@app.command(cls=CommandVerb)
def execute(
    context: Context,
    target: Annotated[
        str,
        typer.Argument(metavar="TARGET", autocompletion=completion.targets, help="Servers; - reads names from stdin."),
    ],
    command: Annotated[list[str], typer.Argument(metavar="COMMAND...", help="The command and its words, as they are.")],
    diff: Annotated[bool, typer.Option("--diff", help="Of unequal output, show only what differs.")] = False,
    stream: Annotated[bool, typer.Option("--stream", help="Show output as it comes, line by line.")] = False,
    stdin: Annotated[bool, typer.Option("--stdin", help="Give our own standard input to each command.")] = False,
) -> int:
    """Run a command on many servers, equal output told once: `multiall exec @web -- uptime`.

    No shell is in between: for pipes and patterns say `-- sh -c '...'`. Options stand before TARGET or after it.
    """
    said = options_of(context)
    if stream and (diff or said.output not in HUMAN):
        other = "--diff" if diff else f"-o {said.output}"
        raise UsageError("exec", f"--stream shows lines as they come, {other} all at the end", "drop one of the two")
    wanted = _target(target, stdin=stdin)
    fed = sys.stdin.buffer.read() if stdin else b""
    with fleet_with_progress(context, "exec") as (found, pause):
        live = render.Live(pause) if stream else None
        answers = list(found.servers.execute(wanted, command, stdin=fed, on_output=live))
        pause()
        order = {name: place for place, name in enumerate(found.inventory.servers)}
        answers.sort(key=lambda each: order[each.server])
        left = not_reached(found, wanted, [each.server for each in answers])
        if live is not None:
            live.finish()
            return show(said, render.streamed(answers, left))
        return show(said, render.executed(answers, left, diff=diff))


def _target(target: str, *, stdin: bool) -> str:
    """`-` stands for the names on standard input. Errors: UsageError."""
    if target != "-":
        return target
    if stdin:
        raise UsageError("exec", "- and --stdin both want standard input", "name the target, or drop --stdin")
    names = sys.stdin.read().split()
    if not names:
        raise UsageError("target", "standard input names no server", "give it one name per line")
    return ", ".join(names)
