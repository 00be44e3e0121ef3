"""multiall demo: the program at work on five servers of this machine, and nothing left behind."""

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text
from typer import Context

from multiall_cli.cli.options import Verb
from multiall_cli.cli.render.document import console
from multiall_cli.domain.errors import MultiAllError, UsageError
from multiall_cli.domain.exits import MEANINGS, Exit

if TYPE_CHECKING:
    from multiall_cli.lab import DemoLab

app = typer.Typer(add_completion=False)

TRY_NEXT = (
    ("multiall init site", "your own site, from ~/.ssh/config"),
    ("multiall --site site doctor", "what is wrong, and what mends it"),
    ("multiall --site site exec 'a*' -- uptime", "a command on many servers"),
)


@app.command(cls=Verb)
def demo(
    context: Context,
    keep: Annotated[
        bool, typer.Option("--keep", help="Leave the servers and their site running, to play with.")
    ] = False,
    end: Annotated[bool, typer.Option("--end", help="End the servers that an earlier --keep left.")] = False,
    folder: Annotated[Path | None, typer.Option("--folder", help="Put everything here (a new folder).")] = None,
) -> int:
    """See it work in seconds: real SSH servers on loopback, a real site, no root, nothing left behind."""
    from multiall_cli.lab import DemoLab, persistent_labs
    from multiall_cli.lab.demo.showcase import fill_lab

    if end:
        labs = [DemoLab.attach(folder)] if folder else persistent_labs()
        for lab in labs:
            lab.down()
            _say(f"ended the servers in {lab.folder}")
        if not labs:
            todo = "name the folder of another: `multiall demo --end --folder DIR`"
            raise UsageError("demo", "no lab was left running in its own folder", todo)
        return 0
    began = time.monotonic()
    with DemoLab.up(5, folder, keep=keep) as lab:
        fill_lab(lab)
        took = time.monotonic() - began
        _say(f"Five servers on this machine, each an SSH server of its own on loopback ({took:.1f} s).")
        code = _story(_Narrator(lab.site), lab)
    _farewell(lab.site if keep else None, f" --folder {folder}" if folder else "", time.monotonic() - began)
    return code


class _Narrator:
    """Types real commands, so that what is shown is what they do."""

    def __init__(self, site: Path) -> None:
        self._site = str(site)
        self.surprises: list[str] = []

    def types(self, *words: str, expect: Exit) -> None:
        from multiall_cli.cli.main import run

        _say("")
        console().print(Text(f"$ multiall {' '.join(words)}", style="bold"))
        sys.stdout.flush()
        code = run(["--site", self._site, *words])
        console().print(Text(f"(exit code {code}: {MEANINGS[Exit(code)]})", style="dim"))
        if code != expect:
            self.surprises.append(f"`multiall {' '.join(words)}` ended with {code}, not {expect.value}")


def _story(narrator: _Narrator, lab: "DemoLab") -> int:
    from multiall_cli.lab.demo.showcase import POOL, release

    absent = lab.names[2]
    narrator.types("pool", "plan", POOL, expect=Exit.DIFFERENCES)
    narrator.types("pool", "sync", POOL, "--yes", expect=Exit.OK)
    lab.kill(absent)
    release(lab, 3)
    _say(f"\n{absent} loses its power; meanwhile release 3 is put into the tree.")
    narrator.types("pool", "sync", POOL, "--yes", expect=Exit.PARTIAL)
    narrator.types("pool", "status", POOL, expect=Exit.PARTIAL)
    lab.start(absent)
    _say(f"\n{absent} is back.")
    narrator.types("pool", "sync", POOL, "--yes", expect=Exit.OK)
    narrator.types("exec", f"@{POOL}", "--", "cat", "www/index.html", expect=Exit.OK)
    if narrator.surprises:
        raise MultiAllError("demo", "; ".join(narrator.surprises), "run it again with --debug and report it")
    return 0


def _farewell(site: Path | None, place: str, took: float) -> None:
    _say("")
    if site is None:
        _say(f"That took {took:.1f} s; the servers and all their files are gone again. Try next:")
    else:
        _say(f"The servers go on until `multiall demo --end{place}`. Play with:\n")
        _say(f"  export MULTIALL_SITE={site}\n\nTry next:")
    for command, words in TRY_NEXT:
        console().print(Text(f"  {command:<42}", style="bold").append(words, style="dim"))


def _say(words: str) -> None:
    console().print(words, soft_wrap=True)
