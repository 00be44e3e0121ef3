"""The TCP fact: whether a connection can be opened."""

import time

from multiall_cli.remote.facts.sources import connect


def tcp(address, port, within=3.0):
    """open, took (s): whether a connection to it can be made from here."""
    began = time.monotonic()
    try:
        connect(address, port, within).close()
    except OSError as fault:
        return {"open": False, "why": str(fault)}
    return {"open": True, "took": time.monotonic() - began}
