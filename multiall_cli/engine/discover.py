"""Discovery: ask members for their neighbours, and test whether undeclared ones speak SSH. Reads only."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

from multiall_cli.domain.discovery import Discovery, Neighbour, Sighting
from multiall_cli.domain.errors import MultiAllError
from multiall_cli.domain.inventory import Server
from multiall_cli.domain.run import Progress
from multiall_cli.domain.topology import Evidence, ProbeLevel
from multiall_cli.engine.context import Context
from multiall_cli.engine.fanout import fan_out
from multiall_cli.planning.discovery import named, unknown

Knock = Callable[[Sequence[Server], frozenset[str]], Sequence[Evidence]]
ENDS = 60.0  # seconds in which a member's whole answer must arrive
MOST = 2000  # sightings used per member, and neighbours proposed in all
_LISTS = {"own": "own", "neighbours": "neighbour", "connections": "connection"}


def discover(
    context: Context, asked: Sequence[Server], servers: Mapping[str, Server], ours: Sequence[str], knock: Knock
) -> Discovery:
    """Return the neighbours that the inventory does not have.

    `asked`: the members to ask; `servers`: all declared servers; `ours`: the admin host's addresses.
    """
    sightings = [Sighting(context.vantage, "own", address) for address in ours]
    failed: dict[str, str] = {}
    for server, result in fan_out(asked, lambda each: _ask(context, each), context.parallel, context.stop):
        context.watch(Progress("asked", server.name))
        if isinstance(result, MultiAllError):
            failed[server.name] = result.what
        else:
            sightings += result[:MOST]
    found = _tried(dict(list(named(unknown(sightings, servers), servers).items())[:MOST]), knock)
    return Discovery(found, tuple(each.name for each in asked if each.name not in failed), failed)


def _ask(context: Context, server: Server) -> list[Sighting]:
    if server.name in context.away:
        raise context.away[server.name]
    session = context.transport.open(server)
    try:
        return list(_sightings(server.name, session.call("neighbours", ends=ENDS).value()))
    finally:
        session.close()


def _sightings(observer: str, told: Mapping[str, object]) -> Iterator[Sighting]:
    """Yield sightings from a member's answer; malformed parts are skipped."""
    for key, how in _LISTS.items():
        for address in _list(told.get(key)):
            if isinstance(address, str):
                yield Sighting(observer, how, address)
    for words in _list(told.get("known")):
        yield from _together(observer, [word for word in _list(words) if isinstance(word, str)])
    for pair in _list(told.get("lldp")):
        match _list(pair):
            case [str(name), str(address)]:
                yield Sighting(observer, "lldp", address, name)


def _together(observer: str, words: Sequence[str]) -> Iterator[Sighting]:
    """Yield the addresses of one line of known_hosts, with the name beside them."""
    names = [word for word in words if not word.replace(".", "").isdigit() and ":" not in word]
    for word in words:
        if word not in names:
            yield Sighting(observer, "known_hosts", word, names[0] if names else "")


def _list(value: object) -> Sequence[object]:
    return value if isinstance(value, list) else ()


def _tried(found: Mapping[str, Neighbour], knock: Knock) -> dict[str, Neighbour]:
    doors = [Server(name=name, address=each.address) for name, each in found.items()]
    met = {each.target: each.rung for each in knock(doors, frozenset(found))}
    return {name: replace(each, answers=met.get(name) is ProbeLevel.BANNER) for name, each in found.items()}
