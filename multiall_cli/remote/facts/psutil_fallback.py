"""Collectors that use psutil where kernel files are missing. Arguments and values are those of the facts they replace.

Facts that are missing here have no equivalent in psutil, or need no kernel file.
"""

import errno
import os
import re
import sys
import time
from functools import lru_cache, partial
from typing import Any

from multiall_cli.remote.facts.kernel_files import PSUTIL
from multiall_cli.remote.facts.mount import find_mount
from multiall_cli.remote.facts.port import port_values
from multiall_cli.remote.facts.process import is_match, summarize, uid_of
from multiall_cli.remote.facts.sources import Unsupported, growth

BOOT_TOLERANCE = 60  # seconds by which two readings of one boot time may differ
MAX_COMMAND_LINE = 1 << 16  # bytes of a command line, as for /proc
TIMES = ("user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal")


def fallback(name, path, readers=None):
    """Return the collector that replaces a fact whose kernel file `path` is missing. Raises Unsupported.

    `readers`: used instead of READERS.
    """
    reader: "Any" = (READERS if readers is None else readers).get(name)
    if reader is None:
        raise Unsupported("%s is missing, and psutil has no replacement; %s" % (path, _remedy(path)))
    try:
        psutil = _psutil()
    except ImportError:
        raise Unsupported("%s is missing, and so is psutil; install python3-psutil, or psutil "
                          "with pip for %s" % (path, sys.executable or "python3")) from None  # fmt: skip

    def read_text(**arguments):
        try:
            return reader(**arguments)
        except FileNotFoundError as fault:
            gone = fault.filename or path
            raise Unsupported("%s is missing, and psutil reads it, too; %s" % (gone, _remedy(gone)))
        except psutil.AccessDenied as fault:
            raise OSError(errno.EACCES, os.strerror(errno.EACCES), "psutil: %s" % fault)

    return read_text


def _remedy(path):
    """Return what to do about a missing kernel file."""
    if path.startswith("/proc") and os.path.exists("/proc/self/stat"):
        return "the kernel was built or started without it; remove this check"
    return "on Linux, mount %s; elsewhere, remove this check" % "/".join(path.split("/")[:2])


@lru_cache(maxsize=1)
def _psutil():
    """Import psutil, also from site-packages. Raises ImportError.

    The loop runs without `site`, so that no startup code of the member's packages runs.
    """
    import site

    folders = [PSUTIL["folder"]] if PSUTIL["folder"] else site.getsitepackages()
    sys.path.extend(each for each in folders if each not in sys.path)
    import psutil

    if PSUTIL["proc"]:
        psutil.PROCFS_PATH = PSUTIL["proc"]
    return psutil


def boot_mark(mark, moment):
    """Return the identity of the current boot: its time, as in the earlier mark if the two differ little."""
    found = re.match(r"psutil (\d+)", str(mark.get("of")) if isinstance(mark, dict) else "")
    if found is not None and abs(int(found.group(1)) - moment) <= BOOT_TOLERANCE:
        return found.group(0)
    return "psutil %d" % moment


def _mark(mark, counters, checked_output=""):
    return {"of": boot_mark(mark, _psutil().boot_time()) + checked_output, "at": time.monotonic(), "counters": counters}


def _ticks(seconds):
    """Return seconds as whole kernel ticks."""
    return round(seconds * os.sysconf("SC_CLK_TCK"))


def cpu(mark=None):
    """Return used, and iowait and steal if the system counts them, as shares of the time since the last reading."""
    psutil = _psutil()
    try:
        times = psutil.cpu_times()
    except TypeError:  # from psutil 7.2 without /proc
        raise Unsupported("psutil %s has no processor times because /proc was missing when it was loaded; mount /proc"
                          % psutil.__version__) from None  # fmt: skip
    names = [each for each in TIMES if hasattr(times, each)]
    now = _mark(mark, [_ticks(getattr(times, each)) for each in names])
    found = growth(mark, now)
    if found is None or sum(found[1]) == 0:
        return {}, now
    return cpu_shares(dict(zip(names, found[1]))), now


def cpu_shares(grown):
    """Return shares of time. `grown`: kind of time → ticks."""
    whole = float(sum(grown.values()))
    values = {"used": (whole - grown["idle"] - grown.get("iowait", 0)) / whole}
    values.update((each, grown[each] / whole) for each in ("iowait", "steal") if each in grown)
    return values


def memory():
    """Return available (share), free (bytes) and swap (used share)."""
    found, swap = _psutil().virtual_memory(), _psutil().swap_memory()
    return {"available": found.available / found.total, "free": found.available,
            "swap": swap.used / swap.total if swap.total else 0.0}  # fmt: skip


def uptime():
    """Return age: seconds since boot."""
    return {"age": max(0.0, time.time() - _psutil().boot_time())}


def _processes():
    psutil = _psutil()
    psutil.boot_time()  # raises if /proc is missing; process_iter() would just be empty
    return psutil.process_iter()


def process(name=None, command=None, user=None, mark=None):
    """Return count, age of the oldest (seconds), rss and cpu of the processes that match.

    `name`: the program; `command`: a pattern in the command line; `user`: the owner.
    """
    psutil, wanted, found = _psutil(), (name, uid_of(user), command), {}
    began = psutil.boot_time()
    up = max(0.0, time.time() - began)
    for each in _processes():
        try:
            with each.oneshot():
                has = (each.name(), each.uids().effective, partial(_command_line, each), partial(_executable, each))
                if each.status() != psutil.STATUS_ZOMBIE and is_match(wanted, *has):
                    ran = _ticks(sum(each.cpu_times()[:2]))
                    found[each.pid] = (each.create_time() - began, ran, each.memory_info().rss)
        except psutil.NoSuchProcess:
            continue  # it ended meanwhile
    return summarize(found, mark, boot_mark(mark, began), up, up)


def _command_line(each):
    """Return the words of the command line, cut as for /proc."""
    words = list(each.cmdline())
    while words and not words[-1]:
        words.pop()
    whole = "\0".join(words).encode("utf-8", "surrogateescape")[:MAX_COMMAND_LINE].decode("utf-8", "replace")
    return whole.split("\0") if whole else []


def _executable(each):
    try:
        return each.exe()
    except (OSError, _psutil().Error):
        return ""


def zombies():
    psutil, count = _psutil(), 0
    for each in _processes():
        try:
            count += each.status() == psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            continue  # it ended meanwhile
    return {"count": count}


def mount(path):
    """Return present, type and options (a list)."""
    found = _psutil().disk_partitions(all=True)
    return find_mount([(each.mountpoint, each.fstype, each.opts.split(",")) for each in found], path)


def port(port, protocol="tcp"):
    """Return open and addresses."""
    psutil = _psutil()
    ours = [each for each in psutil.net_connections(protocol) if each.laddr and each.laddr.port == port]
    found = {each.laddr.ip for each in ours if protocol == "udp" or each.status == psutil.CONN_LISTEN}
    return port_values(port, protocol, found)


def interface(name, mark=None):
    """Return present, state (up or down), speed (Mbit/s, if known), errors and dropped (since it came up), and
    error_rate and drop_rate (per second, since the last reading).
    """
    import socket

    found, counted = _psutil().net_if_stats().get(name), _psutil().net_io_counters(pernic=True).get(name)
    if found is None or counted is None:
        return {"present": False}, None
    lost = [counted.errin, counted.errout, counted.dropin, counted.dropout]
    values = {"present": True, "state": "up" if found.isup else "down"}
    values.update(errors=sum(lost[:2]), dropped=sum(lost[2:]))
    if found.speed > 0:
        values["speed"] = found.speed
    now = _mark(mark, lost, ":%d" % socket.if_nametoindex(name))
    grown = growth(mark, now)
    if grown is not None:
        values.update(error_rate=sum(grown[1][:2]) / grown[0], drop_rate=sum(grown[1][2:]) / grown[0])
    return values, now


READERS = {
    "process": process,
    "zombies": zombies,
    "cpu": cpu,
    "memory": memory,
    "uptime": uptime,
    "mount": mount,
    "port": port,
    "interface": interface,
}
