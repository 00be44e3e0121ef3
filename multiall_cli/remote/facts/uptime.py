"""The uptime fact."""

from multiall_cli.remote.facts.sources import read


def uptime():
    return {"age": float(read("/proc/uptime").split()[0])}
