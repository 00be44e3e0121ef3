"""The memory fact."""

from multiall_cli.remote.facts.sources import read_text


def _memory():
    pairs = (line.split(":", 1) for line in read_text("/proc/meminfo").splitlines() if ":" in line)
    return {name: int(value.split()[0]) * 1024 for name, value in pairs}


def memory():
    """Return available (share), free (bytes) and swap (used share)."""
    found = _memory()
    total, swap = found["MemTotal"], found.get("SwapTotal", 0)
    available = found.get("MemAvailable", found["MemFree"])
    used = (swap - found.get("SwapFree", 0)) / swap if swap else 0.0
    return {"available": available / total, "free": available, "swap": used}
