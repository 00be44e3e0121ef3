"""The RAID fact: arrays of Linux md."""

import re

from multiall_cli.remote.facts.sources import read_text


def raid(name=None):
    """Return present, active, degraded (missing disks) and syncing, of one array or of all."""
    try:
        return parse_mdstat(read_text("/proc/mdstat"), name)
    except FileNotFoundError:
        return {"present": False, "why": "the kernel has no arrays"}


def parse_mdstat(text, name=None):
    """Return the values in /proc/mdstat."""
    found = [each for each in _arrays(text) if name in (None, each[0])]
    if not found:
        return {"present": False}
    values: "dict[str, object]" = {"present": True}
    values.update(active=all(each[1] for each in found), syncing=any(each[3] for each in found))
    if all(each[2] is not None for each in found):
        values["degraded"] = sum(each[2] or 0 for each in found)
    faulty = [each[0] for each in found if each[2] or not each[1]]
    return dict(values, why=", ".join(faulty)) if faulty else values


def _arrays(text):
    """Yield (name, is active, missing disks or None, is being rebuilt) of each array."""
    for block in re.split(r"\n(?=\S)", text):
        first = re.match(r"(\S+) : (active|inactive)\b", block)
        if first is None:
            continue
        active = first.group(2) == "active"
        counts = re.search(r"\[(\d+)/(\d+)\] \[[U_]+\]", block)
        missing = int(counts.group(1)) - int(counts.group(2)) if counts else 0 if active else None
        syncing = re.search(r"\b(recovery|resync|reshape)\s*=", block) is not None
        yield first.group(1), active, missing, syncing
