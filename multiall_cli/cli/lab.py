"""multiall lab: real hosts on this machine (namespaces, root), to try things on and to break."""

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from typer import Context

from multiall_cli.cli.context import options_of
from multiall_cli.cli.options import Noun, Verb
from multiall_cli.cli.render.document import say, table
from multiall_cli.cli.render.result import View, show
from multiall_cli.cli.render.text import count
from multiall_cli.domain.errors import UsageError
from multiall_cli.planning.targets.ranges import expand, is_name

if TYPE_CHECKING:
    from multiall_cli.lab.real.lab import HostStatus, RealLab

HELP = "Real hosts on this machine (root, Linux): up, down, status, shell, reset, break."
app = typer.Typer(cls=Noun, no_args_is_help=True, help=HELP)

FIRST = "lab"
Which = Annotated[str, typer.Option("--lab", metavar="NAME", help="Which lab, where there are several.")]
Hosts = Annotated[str, typer.Argument(metavar="HOST", help="A host's name, or a range such as web[1-3].")]


@app.command("up", cls=Verb)
def up(
    context: Context,
    hosts: Annotated[int, typer.Option("--hosts", min=1, help="How many.")] = 3,
    lab: Annotated[str, typer.Option("--lab", metavar="NAME", help="Its name, where there are several.")] = FIRST,
    service: Annotated[list[str] | None, typer.Option("--service", help="Start it on every host; repeatable.")] = None,
    init: Annotated[str, typer.Option("--init", help="sysv or systemd.")] = "sysv",
    disk: Annotated[str, typer.Option("--disk", metavar="SIZE", help="The most that a host may write.")] = "256m",
    seed: Annotated[int | None, typer.Option("--seed", min=0, help="Of the luck of lossy lines.")] = None,
) -> int:
    """Boot hosts, each with a network, a disk and an sshd of its own; prints the site that fits them. Needs root."""
    from multiall_cli.lab.real.lab import WHERE, RealLab

    began = time.monotonic()
    if not is_name(lab):
        raise UsageError(f"lab {lab!r}", "it cannot be called so", "use letters, digits, `.`, `_` and `-`")
    services = tuple(service or ())
    with RealLab.up(hosts, WHERE / lab, services=services, init=init, disk=disk, seed=seed, keep=True) as found:
        took = time.monotonic() - began
        _say(context, f"{count(hosts, 'host')} up in {took:.1f} s; `multiall lab down` ends them. Next:")
        _say(context, f"  export MULTIALL_SITE={found.site}")
        _say(context, f"  multiall exec @{found.pool} -- hostname")
        return show(options_of(context), _made(found, took))


@app.command("down", cls=Verb)
def down(context: Context, lab: Which = "") -> int:
    """End a lab: its processes, its network and all its files. Also removes what killed labs left."""
    from multiall_cli.lab.real.lab import persistent_labs, remove_leftovers
    from multiall_cli.lab.real.requirements import check_requirements

    check_requirements()
    stale = remove_leftovers()
    ended = [_found(lab)] if lab or persistent_labs() else []
    for each in ended:
        each.down()
    names = [each.folder.name for each in ended] + [each.name for each in stale]
    lines = [f"ended {name}" for name in names] or ["no lab runs"]
    return show(
        options_of(context), View("lab.down", {"ended": names}, lambda wide: iter(lines), names, names, well=False)
    )


@app.command("status", cls=Verb)
def status(context: Context, lab: Which = "") -> int:
    """The hosts of a lab, and which faults are in force."""
    found = _found(lab)
    return show(options_of(context), _status(found, found.status()))


@app.command("shell", cls=Verb)
def shell(
    context: Context,
    host: Annotated[str, typer.Argument(metavar="[HOST]", help="None: this machine, in the lab's network.")] = "",
    command: Annotated[list[str] | None, typer.Argument(metavar="[-- COMMAND]", help="None: a shell.")] = None,
    lab: Which = "",
) -> int:
    """Be root on a host, past its sshd; or, without one (`-- COMMAND`), an admin beside the hosts."""
    found = _found(lab)
    words = list(command or ())
    if host and host not in found.names:
        host, words = "", [host, *words]
    words = words or [os.environ.get("SHELL", "/bin/sh") if not host else "/bin/bash"]
    argv = found.argv(host, words) if host else found.argv_beside(words)
    os.execvp(argv[0], argv)  # noqa: S606  (a command of the admin's own)


@app.command("reset", cls=Verb)
def reset(
    context: Context,
    host: Annotated[str, typer.Argument(metavar="[HOST]", help="None: all of them.")] = "",
    lab: Which = "",
) -> int:
    """Hosts as at the beginning: a clean disk, booted afresh, no fault left."""
    found = _found(lab)
    began = time.monotonic()
    names = expand(host) if host else found.names
    found.reset(*names)
    told = {"reset": names, "seconds": round(time.monotonic() - began, 3)}
    words = f"reset {count(len(names), 'host')} in {told['seconds']} s"
    return show(options_of(context), View("lab.reset", told, lambda wide: iter([words]), [told], names, well=False))


@app.command("break", cls=Verb)
def break_host(
    context: Context,
    host: Hosts = "",
    fault: Annotated[str, typer.Argument(metavar="FAULT", help="None: all that there are.")] = "",
    values: Annotated[
        list[str] | None, typer.Argument(metavar="[VALUES]", help="NAME=VALUE each, as delay=200ms.")
    ] = None,
    undo: Annotated[bool, typer.Option("--undo", help="Undo it (without FAULT: all that are in force).")] = False,
    lab: Which = "",
) -> int:
    """Bring a fault about: `break web1 line delay=200ms loss=5%`, `break web2 kill`; `--undo` ends it."""
    from multiall_cli.lab.real.faults import fault_kind, parse_values

    if not host or not (fault or undo):
        return show(options_of(context), _faults())
    wanted = [fault_kind(fault)] if fault else []
    given_values = parse_values(wanted[0], values or []) if wanted else {}
    found = _found(lab)
    names = expand(host)
    for name in names:
        if undo:
            found.undo(name, *wanted)
        else:
            found.do(name, wanted[0], **given_values)
    standings = [one for one in found.status() if one.name in names]
    return show(options_of(context), _status(found, standings))


def _found(name: str) -> "RealLab":
    """The lab of this name, or the only one. Errors: UsageError, LabError."""
    from multiall_cli.lab.real.lab import WHERE, RealLab, persistent_labs
    from multiall_cli.lab.real.requirements import check_requirements

    check_requirements()
    if name:
        return RealLab.attach(Path(name) if "/" in name else WHERE / name)
    running = persistent_labs()
    if len(running) == 1:
        return running[0]
    if not running:
        raise UsageError("lab", "none runs", "start one with `multiall lab up`")
    names = ", ".join(each.folder.name for each in running)
    raise UsageError("lab", f"{len(running)} run: {names}", "name one with --lab")


def _say(context: Context, words: str) -> None:
    if not options_of(context).quiet:
        say(words)


def _made(found: "RealLab", took: float) -> View:
    told = {
        "lab": found.folder.name,
        "site": str(found.site),
        "ssh_config": str(found.ssh_config),
        "hosts": [{"name": name, "address": address} for name, address in found.addresses.items()],
        "seed": found.seed,
        "seconds": round(took, 3),
    }
    return View("lab.up", told, lambda wide: iter([str(found.site)]), [told], [str(found.site)], well=False)


def _status(found: "RealLab", standings: "list[HostStatus] | tuple[HostStatus, ...]") -> View:
    def human(wide: bool) -> Iterator[object]:
        rows = [(one.name, one.address, "up" if one.runs else "down", ", ".join(one.faults)) for one in standings]
        yield table(("host", "address", "state", "faults"), rows)
        if wide:
            yield f"site {found.site}"

    told = {"lab": found.folder.name, "site": str(found.site), "hosts": standings}
    return View("lab.status", told, human, standings, [one.name for one in standings], well=False)


def _faults() -> View:
    from multiall_cli.lab.real.faults import FAULTS, example

    rows = [(str(fault), example(fault), kind.words) for fault, kind in FAULTS.items()]
    human: Callable[[bool], Iterator[object]] = lambda wide: iter([table(("fault", "takes", "what happens"), rows)])  # noqa: E731
    told = [{"name": name, "takes": takes, "words": words} for name, takes, words in rows]
    return View("lab.faults", {"faults": told}, human, told, [name for name, _, _ in rows], well=False)
