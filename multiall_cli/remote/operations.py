"""The operations of the loop. Each is loaded when it is first asked for."""

import sys

MODULES = {
    "ping": "operations",
    "facts": "ops.host_info",
    "scan": "ops.scan",
    "look_at": "ops.scan",
    "digest": "ops.content",
    "blocks": "ops.content",
    "read": "ops.content",
    "prepare": "ops.prepare",
    "apply": "ops.apply",
    "reach": "ops.tcp_probe",
    "neighbours": "ops.neighbours",
    "publish": "ops.publish",
    "follow": "ops.resolve_link",
    "survey": "ops.service_inventory",
    "gauge": "facts.collect",
}
"""Operation → the module of `remote` with the function of that name."""


def find(name):
    """Return the function of an operation; None if there is none of that name."""
    if not isinstance(name, str) or name not in MODULES:
        return None
    module = "multiall_cli.remote." + MODULES[name]
    __import__(module)  # importlib would load a dozen modules more
    return getattr(sys.modules[module], name)


def ping(exchange):
    """Return what was sent, after all of it has come."""
    pieces = list(exchange.payload())
    for piece in pieces:
        exchange.piece(piece)
    return {"bytes": sum(map(len, pieces))}
