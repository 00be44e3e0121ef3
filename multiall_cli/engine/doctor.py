"""Checks of every connection from the outside in. Each finding names its fix."""

import re
from collections.abc import Iterator, Mapping, Sequence

from multiall_cli.domain.answer import Finding, Severity
from multiall_cli.domain.errors import MultiAllError, Unreachable
from multiall_cli.domain.inventory import BecomeMethod, Server
from multiall_cli.domain.run import Progress
from multiall_cli.engine.context import Context
from multiall_cli.engine.fanout import fan_out

MOST_SKEW = 2.0  # seconds between a member's clock and ours before it is reported
MOST_SECONDS = 1e11  # seconds since the epoch; no clock reports more
OLDEST_PYTHON = (3, 6)


def examine(context: Context, servers: Sequence[Server], trees: Mapping[str, Sequence[str]]) -> Iterator[Finding]:
    """Yield at least one finding per server, in the order in which they answer. `trees`: server → its trees' roots."""

    def work(server: Server) -> list[Finding]:
        return list(_examine(context, server, trees.get(server.name, ())))

    for server, result in fan_out(servers, work, context.parallel, context.stop):
        context.watch(Progress("examined", server.name))
        if isinstance(result, MultiAllError):
            reason = result.reason if isinstance(result, Unreachable) else ""
            yield Finding(server.name, Severity.ILL, result.what, result.todo, reason)
        else:
            yield from result


def _examine(context: Context, server: Server, trees: Sequence[str]) -> Iterator[Finding]:
    began = context.clock.monotonic()
    session = context.transport.open(server)
    try:
        opened = context.clock.monotonic() - began
        asked = context.clock.now()
        told = session.call("host_info", roots=list(trees)).value()
        answered = context.clock.now()
    finally:
        session.close()
    user, python = str(told.get("user")), str(told.get("python"))
    yield Finding(server.name, Severity.WELL, f"session in {opened * 1000:.0f} ms as {user}, python {python}")
    yield from _python(server, python)
    yield from _rights(server, told.get("uid"))
    yield from _clock(server, told.get("now"), asked, answered)
    yield from _trees(server, trees, told.get("no_exchange"))


def _trees(server: Server, trees: Sequence[str], told: object) -> Iterator[Finding]:
    for root in trees:
        if isinstance(told, list) and root in told:
            what = f"the file system of {root} cannot exchange two names (renameat2): a file that someone puts in place"
            what += " at the very moment of a sync can be lost"
            yield Finding(server.name, Severity.ODD, what, "keep the tree on ext4, xfs, btrfs or tmpfs")


def _python(server: Server, python: str) -> Iterator[Finding]:
    numbers = tuple(int(part) for part in python.split(".")[:2] if re.fullmatch("[0-9]{1,9}", part))
    if numbers < OLDEST_PYTHON:
        yield Finding(server.name, Severity.ILL, f"python {python} is too old", "install 3.6 or newer")


def _rights(server: Server, uid: object) -> Iterator[Finding]:
    if server.become.method is not BecomeMethod.NONE and server.become.user == "root" and uid != 0:
        yield Finding(
            server.name, Severity.ILL, f"`become` gave user {uid}, not root", "see `multiall doctor --sudoers`"
        )


def _clock(server: Server, told: object, asked: float, answered: float) -> Iterator[Finding]:
    if not isinstance(told, (int, float)):
        return
    told = max(-MOST_SECONDS, min(told, MOST_SECONDS))  # JSON has numbers that do not fit a float
    skew = told - asked if told < asked else max(0.0, told - answered)
    if abs(skew) > MOST_SKEW:
        yield Finding(
            server.name,
            Severity.ODD,
            f"its clock is {abs(skew):.0f} s {'ahead of' if skew > 0 else 'behind'} ours",
            f"`multiall exec {server.name} -- timedatectl set-ntp true`",
        )
