"""The pressure stall fact (PSI)."""

from multiall_cli.remote.facts.sources import read_text


def pressure(resource):
    """Return some and full: the share of the last minute in which tasks waited for the resource."""
    values = {}
    for line in read_text("/proc/pressure/" + resource).splitlines():
        words = line.split()
        values[words[0]] = float(words[2].split("=")[1]) / 100
    return values
