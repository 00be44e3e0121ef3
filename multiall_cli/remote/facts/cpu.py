"""The processor fact."""

from multiall_cli.remote.facts.sources import counter_mark, growth, read_text


def cpu(mark=None):
    """Return used, iowait and steal as shares of the time since the last reading."""
    return parse_stat(read_text("/proc/stat"), mark)


def parse_stat(text, mark):
    # user, nice, system, idle, iowait, irq, softirq, steal. Guest time is part of user and nice.
    ticks = [int(word) for word in text.split("\n", 1)[0].split()[1:9]]
    now = counter_mark(ticks)
    found = growth(mark, now)
    if found is None or sum(found[1]) == 0:
        return {}, now
    grown, whole = found[1] + [0] * (8 - len(ticks)), float(sum(found[1]))
    idle, iowait, steal = grown[3], grown[4], grown[7]
    return {"used": (whole - idle - iowait) / whole, "iowait": iowait / whole, "steal": steal / whole}, now
