"""multiall cp: files to servers, or from them."""

from typing import Annotated

import typer
from typer import Context

from multiall_cli.cli import completion
from multiall_cli.cli.context import ask, fleet_with_progress, must_ask, options_of, question
from multiall_cli.cli.options import Verb
from multiall_cli.cli.render import pools as render
from multiall_cli.cli.render.result import show
from multiall_cli.cli.render.text import count
from multiall_cli.domain.errors import UsageError
from multiall_cli.domain.plan import Plan

app = typer.Typer(add_completion=False)


@app.command(cls=Verb)
def copy(
    context: Context,
    source: Annotated[
        str, typer.Argument(metavar="FROM", autocompletion=completion.targets, help="A path here, or TARGET:PATH.")
    ],
    destination: Annotated[
        str, typer.Argument(metavar="TO", autocompletion=completion.targets, help="TARGET:PATH, or a folder here.")
    ],
) -> int:
    """Copy a file or folder: `multiall cp app.conf @web:/etc/app/`, `multiall cp web1:/var/log/app.log ./logs`.

    To servers, nothing is deleted there; from servers, each one's copy comes into a folder of its name.
    """
    if not source or not destination:
        raise UsageError("cp", "a path is empty", "see `multiall cp --help`")
    upload, download = _remote(destination), _remote(source)
    if (upload is None) == (download is None):
        raise UsageError("cp", "one side has to be TARGET:PATH and the other a path here", "see `multiall cp --help`")
    if upload is not None:
        return _copy(context, source, *upload)
    assert download is not None  # noqa: S101  (one of the two is not None)
    with fleet_with_progress(context, "cp") as (found, pause):
        reports = found.servers.fetch(*download, destination)
        pause()
        return show(options_of(context), render.fetched(reports))


def _copy(context: Context, source: str, target: str, path: str) -> int:
    with fleet_with_progress(context, "cp") as (found, pause):
        among = count(len(found.servers.select(target)), "server")
        asks = must_ask(context)

        def confirm(plan: Plan) -> bool:
            if not asks:
                return True
            pause()
            render.show_before_asking(render.plan_lines(plan, wide=False))
            return ask(question(plan, "cp", among))

        report = found.servers.copy(source, target, path, confirm=confirm)
        pause()
        return show(options_of(context), render.report(report))


def _remote(text: str) -> tuple[str, str] | None:
    """TARGET:PATH as (target, path); None for a path here (one that begins with / or . always is one)."""
    target, colon, path = text.partition(":")
    if not colon or text.startswith(("/", ".", "~")):
        return None
    return target, path
