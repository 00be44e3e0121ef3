"""Survey of servers' services and resources, from which rules can be written. Reads only."""

from collections.abc import Mapping, Sequence

from multiall_cli.domain.errors import MultiAllError
from multiall_cli.domain.inventory import Server
from multiall_cli.domain.run import Progress
from multiall_cli.engine.context import Context
from multiall_cli.engine.fanout import fan_out
from multiall_cli.planning.rule_generation import GeneratedRules, ServiceInventory, learned, unwritable

ENDS = 60.0  # seconds in which a server's whole answer must arrive
MOST = 2000  # items of one kind that are used per server
LONGEST = 255  # characters of a name


def learn(context: Context, servers: Sequence[Server]) -> GeneratedRules:
    """Return rules for the things that most of the answering servers have."""
    surveys, troubles = [], {}
    for server, result in fan_out(servers, lambda each: _ask(context, each), context.parallel, context.stop):
        context.watch(Progress("asked", server.name))
        if isinstance(result, MultiAllError):
            troubles[server.name] = result.what
            continue
        surveys.append(survey_of(server.name, result))
        if words := _troubles(surveys[-1], result.get("troubles")):
            troubles[server.name] = words[:500]
    surveys.sort(key=lambda each: each.server)
    return GeneratedRules(learned(surveys), tuple(each.server for each in surveys), troubles)


def _troubles(survey: ServiceInventory, told: object) -> str:
    """Return what the server could not read, and names that no rule can contain."""
    found = [f"{key}: {words}" for key, words in told.items()] if isinstance(told, dict) else []
    odd = unwritable(survey)
    if odd:
        found.append(f"no rule can name {', '.join(map(repr, odd))}")
    return "; ".join(found)


def _ask(context: Context, server: Server) -> Mapping[str, object]:
    if server.name in context.away:
        raise context.away[server.name]
    session = context.transport.open(server)
    try:
        return session.call("service_inventory", ends=ENDS).value()
    finally:
        session.close()


def survey_of(server: str, told: Mapping[str, object]) -> ServiceInventory:
    """Return a survey from a server's answer; malformed parts are skipped."""
    return ServiceInventory(
        server,
        tuple(each for each in _list(told.get("services")) if isinstance(each, str) and len(each) <= LONGEST),
        tuple(
            (pair[0], tuple(map(str, _list(pair[1]))))
            for pair in _pairs(told.get("ports"))
            if isinstance(pair[0], int) and not isinstance(pair[0], bool) and 0 < pair[0] < 65536
        ),
        tuple(_texts(told.get("mounts"))),
        tuple(_texts(told.get("users"))),
    )


def _texts(told: object) -> list[tuple[str, str]]:
    return [(one, two) for one, two in _pairs(told) if isinstance(one, str) and isinstance(two, str)]


def _pairs(told: object) -> list[tuple[object, object]]:
    return [(each[0], each[1]) for each in _list(told) if isinstance(each, list) and len(each) == 2]


def _list(told: object) -> list[object]:
    return told[:MOST] if isinstance(told, list) else []
