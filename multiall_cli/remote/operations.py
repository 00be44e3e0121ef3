"""The operations of the loop. Each is loaded when it is first asked for."""

import sys

MODULES = {
    "ping": "operations",
    "host_info": "ops.host_info",
    "scan": "ops.scan",
    "scan_paths": "ops.scan",
    "digest": "ops.content",
    "block_hashes": "ops.content",
    "read_blocks": "ops.content",
    "prepare": "ops.prepare",
    "apply": "ops.apply",
    "probe_tcp": "ops.tcp_probe",
    "neighbours": "ops.neighbours",
    "publish": "ops.publish",
    "resolve_link": "ops.resolve_link",
    "service_inventory": "ops.service_inventory",
    "collect": "facts.collect",
}
"""Operation → the module of `remote` with the function of that name."""


def find_operation(name):
    """Return the function of an operation; None if there is none of that name."""
    if not isinstance(name, str) or name not in MODULES:
        return None
    module = "multiall_cli.remote." + MODULES[name]
    __import__(module)  # importlib would load a dozen modules more
    return getattr(sys.modules[module], name)


def ping(request):
    """Return what was sent, after all of it has come."""
    pieces = list(request.payload())
    for piece in pieces:
        request.send(piece)
    return {"bytes": sum(map(len, pieces))}
