"""multiall topology: who reaches whom, what is up, and what operators said of it."""

import time
from pathlib import Path
from typing import Annotated

import typer
from typer import Context

from multiall_cli.cli import completion
from multiall_cli.cli.context import fleet, fleet_with_progress, options_of, require_complete
from multiall_cli.cli.interrupt import Interrupt
from multiall_cli.cli.options import Noun, Verb
from multiall_cli.cli.render import topology as render
from multiall_cli.cli.render.diagrams import DRAWINGS
from multiall_cli.cli.render.result import show
from multiall_cli.cli.render.times import LONGEST, moment_of, must_end_once, seconds_of
from multiall_cli.cli.rounds import pause_of
from multiall_cli.cli.rounds import rounds as scans
from multiall_cli.domain.errors import UsageError
from multiall_cli.domain.topology import DowntimeKind

app = typer.Typer(
    cls=Noun,
    no_args_is_help=True,
    add_completion=False,
    help="Who reaches whom: scan, show, at, links, why, path, events, history, discover, verify, watch, drain, "
    "maintenance, pin, undrain.",
)

MOST_EVENTS = 1_000_000  # of one list

Target = Annotated[str, typer.Argument(metavar="TARGET", autocompletion=completion.targets, help="Servers.")]
ServerName = Annotated[
    str, typer.Argument(metavar="SERVER", autocompletion=completion.servers, help="The server's name.")
]
For = Annotated[str, typer.Option("--for", metavar="SPAN", help="For so long: 30m, 2h, 1d12h.")]
Until = Annotated[str, typer.Option("--until", metavar="TIME", help="Until then: 2026-12-01T10:00 (local time).")]
From = Annotated[str, typer.Option("--from", metavar="TIME", help="From then on; else from now on.")]
Because = Annotated[str, typer.Option("--because", metavar="TEXT", help="Why; it is shown and kept.")]


class Drawn(Verb):
    """A verb that can draw the picture too."""

    drawings = tuple(DRAWINGS)


@app.command("scan", cls=Verb)
def scan_servers(
    context: Context,
    links: Annotated[
        bool | None,
        typer.Option("--links/--no-links", help="Ask servers about each other (default: up to 32 servers)."),
    ] = None,
    logins: Annotated[
        bool, typer.Option("--logins/--no-logins", help="Log in to those whose turn it is, or only knock.")
    ] = True,
) -> int:
    """Look at every server once. Exit 0: all as declared; 10: not."""
    with fleet_with_progress(context, "scan") as (found, pause):
        round_ = found.topology.scan(links=links, logins=logins)
        pause()
        require_complete(found, "topology scan")
        return show(options_of(context), render.round_(round_, found.inventory))


@app.command("show", cls=Drawn)
def show_topology(context: Context) -> int:
    """The picture as the last scan left it. `-o svg`, `html`, `dot`, `mermaid`, `graphml`, `matrix`, `tree` draw it."""
    with fleet(context) as found:
        return show(options_of(context), render.picture(found.topology.current(), found.inventory))


@app.command("at", cls=Verb)
def show_then(
    context: Context,
    moment: Annotated[str, typer.Argument(metavar="TIME", help="Then: 2026-12-01T10:00 (local time).")],
) -> int:
    """The picture as it was held to be at a time, played again from what changed."""
    then = moment_of(moment, "topology at")
    if then > time.time():
        raise UsageError("topology at", f"{moment} is yet to come", "give a time that has been")
    with fleet(context) as found:
        return show(
            options_of(context), render.then(found.topology.events(MOST_EVENTS, until=then), found.inventory, then)
        )


@app.command("links", cls=Verb)
def show_links(context: Context) -> int:
    """Every way between servers that was tried: which are closed, one-way, and who saw it."""
    with fleet(context) as found:
        return show(options_of(context), render.links(found.topology.current()))


@app.command("why", cls=Verb)
def show_why(context: Context, server: ServerName) -> int:
    """What is held of a server, by which rule, on whose evidence."""
    with fleet(context) as found:
        name = found.servers.find(server).name
        return show(options_of(context), render.why(found.topology.current(), name, found.topology.events(1000, name)))


@app.command("path", cls=Verb)
def show_path(context: Context, start: ServerName, end: ServerName) -> int:
    """The shortest way from one server to another over links that were seen open."""
    with fleet(context) as found:
        return show(
            options_of(context),
            render.path(found.topology.current(), found.servers.find(start).name, found.servers.find(end).name),
        )


@app.command("events", cls=Verb)
def show_events(
    context: Context,
    server: Annotated[
        str, typer.Option("--server", metavar="SERVER", autocompletion=completion.servers, help="Only this one's.")
    ] = "",
    limit: Annotated[
        int, typer.Option("--limit", metavar="N", min=1, max=MOST_EVENTS, help="How many, newest first.")
    ] = 50,
) -> int:
    """What changed, newest first, with the rule that decided it."""
    with fleet(context) as found:
        return show(options_of(context), render.events(found.topology.events(limit, server or None)))


@app.command("history", cls=Verb)
def show_history(context: Context, server: ServerName) -> int:
    """The states that a server was in, for how long, and why."""
    with fleet(context) as found:
        name = found.servers.find(server).name
        return show(options_of(context), render.history(found.topology.events(MOST_EVENTS, name), name, time.time()))


@app.command("discover", cls=Verb)
def discover(
    context: Context,
    target: Annotated[
        str,
        typer.Argument(metavar="[TARGET]", autocompletion=completion.targets, help="Whom to ask; else all servers."),
    ] = "",
) -> int:
    """Lines for the inventory: whom servers know and nobody declared. Nothing is changed anywhere."""
    with fleet_with_progress(context, "discover") as (found, pause):
        told = found.topology.discover(target)
        pause()
        require_complete(found, "topology discover")
        return show(options_of(context), render.discovery(told))


@app.command("verify", cls=Verb)
def verify(
    context: Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A copy of what `topology.publish` gives servers.")],
) -> int:
    """Whether a published topology is of this site, unchanged, and still holds. Exit 0: it does; 10: not."""
    with fleet(context) as found:
        return show(options_of(context), render.verified(found.topology.verify(file), found.topology.public_key))


@app.command("watch", cls=Verb)
def watch(
    context: Context,
    every: Annotated[str, typer.Option("--every", metavar="SPAN", help="Between two scans: 2s, 30s, 1m.")] = "5s",
    rounds: Annotated[int, typer.Option("--rounds", metavar="N", min=1, help="End after so many scans.")] = MOST_EVENTS,
) -> int:
    """Scan again and again, and print what changes as it changes. Ctrl-C ends it."""
    pause = pause_of(every, "topology watch")
    interrupt = Interrupt(b"\nending the watch\n")
    with fleet(context, stop=interrupt.asked) as found, interrupt:
        for number, told in enumerate(scans(found, interrupt, pause, rounds)):
            if number == 0:
                show(options_of(context), render.picture(told.topology, found.inventory))
            for event in told.events if number else ():
                show(options_of(context), render.change(event))
            for words in render.unpublished(told):
                typer.echo(words, err=True)
    return 0


@app.command("drain", cls=Verb)
def drain(
    context: Context, target: Target, span: For = "", until: Until = "", begins: From = "", because: Because = ""
) -> int:
    """No clients for servers, until a time; syncs go on."""
    return _promise(context, target, DowntimeKind.DRAIN, span, until, begins, because)


@app.command("maintenance", cls=Verb)
def maintenance(
    context: Context, target: Target, span: For = "", until: Until = "", begins: From = "", because: Because = ""
) -> int:
    """Servers may be away until a time: no sync tries them, what they miss waits."""
    return _promise(context, target, DowntimeKind.MAINTENANCE, span, until, begins, because)


@app.command("pin", cls=Verb)
def pin(
    context: Context,
    target: Target,
    state: Annotated[str, typer.Argument(metavar="up|down", help="What they are to be held to be.")],
    span: For = "",
    until: Until = "",
    begins: From = "",
    because: Because = "",
) -> int:
    """Hold servers to be up, or down, whatever probes say, until a time."""
    pins = {"up": DowntimeKind.PINNED_UP, "down": DowntimeKind.PINNED_DOWN}
    if state not in pins:
        raise UsageError("topology pin", f"{state!r} is neither up nor down", "write `up` or `down` after the servers")
    return _promise(context, target, pins[state], span, until, begins, because)


@app.command("undrain", cls=Verb)
def undrain(context: Context, target: Target) -> int:
    """End what was said of servers: drains, maintenance, pins."""
    with fleet(context) as found:
        ended, topology = found.topology.end_downtime(target), found.topology.current()
        still = [word for server in found.servers.select(target) if (word := topology.planned_of(server.name))]
        return show(options_of(context), render.withdrawn(ended, still))


def _promise(
    context: Context, target: str, what: DowntimeKind, span: str, until: str, begins: str, because: str
) -> int:
    """It must end: a word without an end outlives the reason for it."""
    verb = f"topology {'pin' if what in (DowntimeKind.PINNED_UP, DowntimeKind.PINNED_DOWN) else what.value}"
    now = time.time()
    start = moment_of(begins, verb) if begins else 0.0
    must_end_once(span, until, verb, "add --for 2h, or --until 2026-12-01T10:00")
    if not because.strip():
        raise UsageError(verb, "no reason is given", "add --because TEXT: whoever finds it later will ask")
    end = (start or now) + seconds_of(span, verb) if span else moment_of(until, verb)
    if end <= max(start, now):
        raise UsageError(verb, "it would be over before it begins", "give a later end")
    if end - (start or now) > LONGEST:
        raise UsageError(verb, "it would hold for more than a year", "give an earlier end; it can be said again")
    with fleet(context) as found:
        return show(
            options_of(context), render.promised(found.topology.set_downtime(target, what, start, end, because.strip()))
        )
