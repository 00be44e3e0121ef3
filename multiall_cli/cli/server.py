"""multiall server: what servers are, what gives them their values, and getting to them."""

import os
from typing import Annotated

import typer
from typer import Context

from multiall_cli.cli import completion
from multiall_cli.cli.context import ask, can_ask, fleet, fleet_with_progress, not_reached, options_of
from multiall_cli.cli.options import Noun, Verb
from multiall_cli.cli.render import servers as render
from multiall_cli.cli.render.result import show
from multiall_cli.domain.inventory import Link

app = typer.Typer(
    cls=Noun, no_args_is_help=True, add_completion=False, help="Servers: list, show, explain, facts, trust, shell."
)

ServerName = Annotated[
    str, typer.Argument(metavar="SERVER", autocompletion=completion.servers, help="The server's name.")
]
Target = Annotated[str, typer.Argument(metavar="TARGET", autocompletion=completion.targets, help="Servers.")]


@app.command("list", cls=Verb)
def list_servers(
    context: Context,
    target: Annotated[
        str,
        typer.Argument(
            metavar="TARGET", autocompletion=completion.targets, show_default=False, help="Servers (else all)."
        ),
    ] = "",
) -> int:
    """The servers that a target means (all, where none is named)."""
    with fleet(context) as found:
        servers = found.servers.select_or_all(target)
        return show(options_of(context), render.server_list(servers, found.inventory))


@app.command("show", cls=Verb)
def show_server(context: Context, server: ServerName) -> int:
    """One server: how it is reached and its pools."""
    with fleet(context) as found:
        return show(options_of(context), render.server(found.servers.find(server), found.inventory))


@app.command("explain", cls=Verb)
def explain_server(context: Context, server: ServerName) -> int:
    """Every effective value with the pool and the file:line:col that gave it."""
    with fleet(context) as found:
        return show(options_of(context), render.explained(server, found.servers.explain(server)))


@app.command("facts", cls=Verb)
def facts_of_servers(context: Context, target: Target) -> int:
    """What servers say of themselves: system, kernel, python, memory."""
    with fleet_with_progress(context, "facts") as (found, pause):
        order = {name: place for place, name in enumerate(found.inventory.servers)}
        answers = sorted(found.servers.facts(target), key=lambda each: order[each.server])
        pause()
        left = not_reached(found, target, [each.server for each in answers])
        return show(options_of(context), render.facts(answers, left))


@app.command("trust", cls=Verb)
def trust_server(
    context: Context,
    server: ServerName,
    replace: Annotated[bool, typer.Option("--replace", help="It is known under another key; take this one.")] = False,
) -> int:
    """Show the host key of a server and pin it in the site's known_hosts."""
    said = options_of(context)
    with fleet(context) as found:
        offer = found.servers.offer(server)
        if offer.known == "known":
            return show(said, render.offer(offer, ""))
        if offer.known == "changed" and not replace:
            again = f"if that is meant: `multiall server trust {server} --replace`"
            return show(said, render.offer(offer, "", f"it is known under another key; {again}"))
        if not said.yes:
            if not can_ask():
                refusal = "there is no terminal to ask on; compare the fingerprint and add --yes"
                return show(said, render.offer(offer, "", refusal))
            render.show_offer(offer)
            if not ask("Compare it with what the server's console says. Trust it?"):
                return show(said, render.offer(offer, "", "you said no; nothing was changed"))
        pinned = found.servers.trust(server, offer.fingerprint, replace=replace)
        return show(said, render.offer(offer, f"pinned in {pinned}"))


@app.command("shell", cls=Verb)
def shell_on_server(context: Context, server: ServerName) -> int:
    """Log in: the `ssh` client takes over, with this site's address, user, keys and known hosts."""
    with fleet(context) as found:
        wanted = found.servers.find(server)
        if wanted.link is Link.LOCAL:
            os.execvp(os.environ.get("SHELL", "/bin/sh"), ["-sh"])  # noqa: S606  (a login shell is what was asked for)
        found.enter_network()
        os.execvp("ssh", found.servers.login_command(wanted))  # noqa: S606
