"""The pressure stall fact (PSI)."""

from multiall_cli.remote.facts.sources import read


def pressure(resource):
    """some, full: the share of the last minute in which tasks waited for it (PSI)."""
    told = {}
    for line in read("/proc/pressure/" + resource).splitlines():
        words = line.split()
        told[words[0]] = float(words[2].split("=")[1]) / 100
    return told
