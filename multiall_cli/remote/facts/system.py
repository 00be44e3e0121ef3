"""Gauges of the system: processors, memory, kernel and clock."""

import glob
import os
import time

from multiall_cli.remote.facts.sources import Unsupported, marked, read, since


def load():
    """one, five, fifteen: the load averages for each processor."""
    try:
        found = os.getloadavg()  # psutil calls the same
    except OSError:
        raise Unsupported("its C library gets no load averages: where it runs Linux, mount /proc") from None
    one, five, fifteen = (each / (os.cpu_count() or 1) for each in found)
    return {"one": one, "five": five, "fifteen": fifteen}


def cpu(mark=None):
    """used, iowait, steal: shares of the time since the look before."""
    return cpu_of(read("/proc/stat"), mark)


def cpu_of(text, mark):
    # user, nice, system, idle, iowait, irq, softirq, steal; guests are among user and nice.
    ticks = [int(word) for word in text.split("\n", 1)[0].split()[1:9]]
    now = marked(ticks)
    found = since(mark, now)
    if found is None or sum(found[1]) == 0:
        return {}, now
    grown, whole = found[1] + [0] * (8 - len(ticks)), float(sum(found[1]))
    idle, iowait, steal = grown[3], grown[4], grown[7]
    return {"used": (whole - idle - iowait) / whole, "iowait": iowait / whole, "steal": steal / whole}, now


def _memory():
    pairs = (line.split(":", 1) for line in read("/proc/meminfo").splitlines() if ":" in line)
    return {name: int(value.split()[0]) * 1024 for name, value in pairs}


def memory():
    """available: the share that programs can still be given; free: in bytes; swap: the share of it that is used."""
    found = _memory()
    total, swap = found["MemTotal"], found.get("SwapTotal", 0)
    available = found.get("MemAvailable", found["MemFree"])
    used = (swap - found.get("SwapFree", 0)) / swap if swap else 0.0
    return {"available": available / total, "free": available, "swap": used}


def oom(mark=None):
    """count: processes that were killed for want of memory since the look before."""
    return oom_of(read("/proc/vmstat"), mark)


def oom_of(text, mark):
    counts = [int(line.split()[1]) for line in text.splitlines() if line.startswith("oom_kill ")]
    if not counts:
        raise Unsupported("its kernel does not count them (4.13 and newer do)")
    now = marked(counts)
    found = since(mark, now)
    return {} if found is None else {"count": found[1][0]}, now


def pressure(resource):
    """some, full: the share of the last minute in which tasks waited for it (PSI)."""
    told = {}
    for line in read("/proc/pressure/" + resource).splitlines():
        words = line.split()
        told[words[0]] = float(words[2].split("=")[1]) / 100
    return told


def open_files():
    used, _, most = read("/proc/sys/fs/file-nr").split()
    return {"used": int(used) / int(most)}


def uptime():
    return {"age": float(read("/proc/uptime").split()[0])}


def clock():
    """now: seconds since the epoch here; the admin host compares."""
    return {"now": time.time()}


_UNSYNCHRONISED = 0x40  # STA_UNSYNC


def ntp():
    """synchronised, error (s, estimated): as the kernel was told by whoever keeps its clock."""
    try:
        import ctypes
    except ImportError:
        raise Unsupported("its Python has no ctypes") from None

    class Timex(ctypes.Structure):
        _fields_ = [("modes", ctypes.c_uint), ("offset", ctypes.c_long), ("freq", ctypes.c_long),
                    ("maxerror", ctypes.c_long), ("esterror", ctypes.c_long), ("status", ctypes.c_int),
                    ("rest", ctypes.c_char * 512)]  # fmt: skip

    found = Timex()
    library = ctypes.CDLL(None, use_errno=True)
    if not hasattr(library, "adjtimex"):
        raise Unsupported("its C library has no adjtimex (Linux has)")
    if library.adjtimex(ctypes.byref(found)) < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return {"synchronised": not found.status & _UNSYNCHRONISED, "error": found.esterror / 1e6}


def sysctl(name):
    try:
        return {"present": True, "value": " ".join(read("/proc/sys/" + name.replace(".", "/")).split())}
    except FileNotFoundError:
        return {"present": False}


def module(name):
    loaded = {line.split(" ", 1)[0] for line in read("/proc/modules").splitlines()}
    return {"present": name.replace("-", "_") in loaded or os.path.isdir("/sys/module/" + name.replace("-", "_"))}


def reboot():
    """needed: whether a package asked for one (Debian), or the running kernel's modules are gone."""
    release = os.uname().release
    kernels = glob.glob("/lib/modules/*")
    return {
        "needed": os.path.exists("/run/reboot-required") or bool(kernels and "/lib/modules/" + release not in kernels)
    }
