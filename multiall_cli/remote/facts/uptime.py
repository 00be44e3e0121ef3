"""The uptime fact."""

from multiall_cli.remote.facts.sources import read_text


def uptime():
    """Return age: seconds since boot."""
    return {"age": float(read_text("/proc/uptime").split()[0])}
