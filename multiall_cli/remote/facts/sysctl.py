"""The sysctl fact."""

from multiall_cli.remote.facts.sources import read


def sysctl(name):
    try:
        return {"present": True, "value": " ".join(read("/proc/sys/" + name.replace(".", "/")).split())}
    except FileNotFoundError:
        return {"present": False}
