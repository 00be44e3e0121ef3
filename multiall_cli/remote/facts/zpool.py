"""The ZFS pool fact."""

from multiall_cli.remote.facts.sources import of


def zpool(name):
    """present, state, used (share)."""
    return zpool_of(of(["zpool", "list", "-Hp", "-o", "name,health,capacity"]), name)


def zpool_of(text, name):
    for line in text.splitlines():
        words = line.split("\t")
        if words[0] == name:
            told = {"present": True, "state": words[1]}
            used = words[2].rstrip("%")
            return dict(told, used=int(used) / 100.0) if used.isdigit() else told  # one that is FAULTED has none
    return {"present": False}
