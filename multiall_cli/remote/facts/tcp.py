"""The TCP fact: whether a connection can be opened."""

import time

from multiall_cli.remote.facts.sources import connect


def tcp(address, port, within=3.0):
    """Return open and took (seconds)."""
    began = time.monotonic()
    try:
        connect(address, port, within).close()
    except OSError as fault:
        return {"open": False, "why": str(fault)}
    return {"open": True, "took": time.monotonic() - began}
