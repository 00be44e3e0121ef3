"""The ZFS pool fact."""

from multiall_cli.remote.facts.sources import checked_output


def zpool(name):
    """Return present, state and used (share)."""
    return parse_zpool_list(checked_output(["zpool", "list", "-Hp", "-o", "name,health,capacity"]), name)


def parse_zpool_list(text, name):
    """Return the values of one pool from `zpool list -Hp -o name,health,capacity`."""
    for line in text.splitlines():
        words = line.split("\t")
        if words[0] == name:
            values = {"present": True, "state": words[1]}
            used = words[2].rstrip("%")
            return dict(values, used=int(used) / 100.0) if used.isdigit() else values  # a FAULTED pool has no capacity
    return {"present": False}
