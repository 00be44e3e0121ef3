"""The operations that the loop offers from its start, by name."""

from multiall_cli.remote.apply import apply
from multiall_cli.remote.content import blocks, digest, read
from multiall_cli.remote.facts import facts
from multiall_cli.remote.prepare import prepare
from multiall_cli.remote.scan import look_at, scan


def ping(exchange):
    """Answers with whatever was sent, after all of it has come."""
    pieces = list(exchange.payload())
    for piece in pieces:
        exchange.piece(piece)
    return {"bytes": sum(map(len, pieces))}


OPERATIONS = {
    "ping": ping,
    "facts": facts,
    "scan": scan,
    "look_at": look_at,
    "digest": digest,
    "blocks": blocks,
    "read": read,
    "prepare": prepare,
    "apply": apply,
}
