"""The out-of-memory fact: processes that the kernel killed."""

from multiall_cli.remote.facts.sources import Unsupported, counter_mark, growth, read_text


def oom(mark=None):
    """Return count: processes killed since the last reading."""
    return parse_vmstat(read_text("/proc/vmstat"), mark)


def parse_vmstat(text, mark):
    counts = [int(line.split()[1]) for line in text.splitlines() if line.startswith("oom_kill ")]
    if not counts:
        raise Unsupported("the kernel does not count out-of-memory kills; Linux 4.13 and newer do")
    now = counter_mark(counts)
    found = growth(mark, now)
    return {} if found is None else {"count": found[1][0]}, now
