"""Publication of the topology to members, where programs can read it while the admin host is down."""

import json
from collections.abc import Sequence

from multiall_cli.domain.errors import MultiAllError
from multiall_cli.domain.inventory import Server
from multiall_cli.domain.publication import LastPublished, Published
from multiall_cli.domain.run import SavedState
from multiall_cli.engine.context import Context
from multiall_cli.engine.fanout import fan_out
from multiall_cli.ports.session import Session
from multiall_cli.ports.store import AgentStates

SAVED_AS = ("topology", "site", "published")  # agent, subject, part
PIECE = 1 << 15
ENDS = 60.0  # seconds in which a member must accept it


def publish(context: Context, servers: Sequence[Server], path: str, content: bytes) -> Published:
    """Write the content to a file on each server. Servers that could not take it are reported, and are due again."""

    def give(server: Server) -> bool:
        return _give(context.adapters.open_session(server) or context.transport.open(server), path, content)

    given: list[str] = []
    missed: dict[str, str] = {}
    for server, result in fan_out(servers, give, context.parallel, context.stop):
        if isinstance(result, MultiAllError):
            missed[server.name] = result.what
        else:
            given.append(server.name)
    return Published(path, tuple(sorted(given)), dict(sorted(missed.items())))


def _give(session: Session, path: str, content: bytes) -> bool:
    try:
        pieces = [content[start : start + PIECE] for start in range(0, len(content), PIECE)]
        session.call("publish", pieces, ends=ENDS, path=path).value()
    finally:
        session.close()
    return True


def standing(states: AgentStates) -> LastPublished:
    """Return the last publication, as far as it is known."""
    try:
        at, said, away = json.loads(states.get(*SAVED_AS) or b"")
        return LastPublished(float(at), str(said), tuple(map(str, away)))
    except (ValueError, TypeError):
        return LastPublished()


def keep(states: AgentStates, told: LastPublished) -> None:
    agent, subject, part = SAVED_AS
    value = json.dumps([told.at, told.said, list(told.away)]).encode("ascii")
    states.put([SavedState(agent, subject, value, part)])
