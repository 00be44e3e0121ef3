"""The sysctl fact."""

from multiall_cli.remote.facts.sources import read_text


def sysctl(name):
    """Return present and value."""
    try:
        return {"present": True, "value": " ".join(read_text("/proc/sys/" + name.replace(".", "/")).split())}
    except FileNotFoundError:
        return {"present": False}
