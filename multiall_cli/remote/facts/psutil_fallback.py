"""Gauges that ask psutil, for where what the kernel's files tell is missing: they take and tell the same.

Those that are not here psutil has no like of, or they need no such file.
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

BOOT_TOLERANCE = 60  # seconds between two moments that the clock gave to one start of the machine
MAX_COMMAND_LINE = 1 << 16  # bytes of a command line, as the kernel's files are read
TIMES = ("user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal")


def fallback(name, path, readers=None):
    """What is to be called in place of a gauge whose `path` is missing. Errors: Unsupported.

    `readers`: in place of READERS.
    """
    reader: "Any" = (READERS if readers is None else readers).get(name)
    if reader is None:
        raise Unsupported("%s is missing there, and psutil has nothing in its place: %s" % (path, _remedy(path)))
    try:
        psutil = _psutil()
    except ImportError:
        raise Unsupported("%s is missing there, and psutil is missing there: install python3-psutil, or "
                          "psutil by pip, for %s" % (path, sys.executable or "python3")) from None  # fmt: skip

    def read_text(**arguments):
        try:
            return reader(**arguments)
        except FileNotFoundError as fault:
            gone = fault.filename or path
            raise Unsupported("%s is missing there, and psutil reads it too: %s" % (gone, _remedy(gone)))
        except psutil.AccessDenied as fault:
            raise OSError(errno.EACCES, os.strerror(errno.EACCES), "psutil: %s" % fault)

    return read_text


def _remedy(path):
    """What to do about a file of the kernel that is missing."""
    if path.startswith("/proc") and os.path.exists("/proc/self/stat"):
        return "its kernel was made or started without it; leave this check out"
    return "where it runs Linux, mount %s; elsewhere, leave this check out" % "/".join(path.split("/")[:2])


@lru_cache(maxsize=1)
def _psutil():
    """psutil, looked for among Python's packages too: the loop runs without its site, whose programs nobody wants run.

    Errors: ImportError.
    """
    import site

    folders = [PSUTIL["folder"]] if PSUTIL["folder"] else site.getsitepackages()
    sys.path.extend(each for each in folders if each not in sys.path)
    import psutil

    if PSUTIL["proc"]:
        psutil.PROCFS_PATH = PSUTIL["proc"]
    return psutil


def boot_mark(mark, moment):
    """Which start of the machine this is: the moment of it, as the look before had it, for it moves with the clock."""
    found = re.match(r"psutil (\d+)", str(mark.get("of")) if isinstance(mark, dict) else "")
    if found is not None and abs(int(found.group(1)) - moment) <= BOOT_TOLERANCE:
        return found.group(0)
    return "psutil %d" % moment


def _mark(mark, counters, checked_output=""):
    return {"of": boot_mark(mark, _psutil().boot_time()) + checked_output, "at": time.monotonic(), "counters": counters}


def _ticks(seconds):
    """In the kernel's unit: so there are no parts of one in a mark."""
    return round(seconds * os.sysconf("SC_CLK_TCK"))


def cpu(mark=None):
    """used; iowait, steal where they are counted there: shares of the time since the look before."""
    psutil = _psutil()
    try:
        times = psutil.cpu_times()
    except TypeError:  # of what it has in their place then (7.2)
        raise Unsupported("psutil %s tells no processor times where /proc was missing when it was loaded: mount /proc"
                          % psutil.__version__) from None  # fmt: skip
    names = [each for each in TIMES if hasattr(times, each)]
    now = _mark(mark, [_ticks(getattr(times, each)) for each in names])
    found = growth(mark, now)
    if found is None or sum(found[1]) == 0:
        return {}, now
    return cpu_shares(dict(zip(names, found[1]))), now


def cpu_shares(grown):
    """Of kinds of time → ticks."""
    whole = float(sum(grown.values()))
    values = {"used": (whole - grown["idle"] - grown.get("iowait", 0)) / whole}
    values.update((each, grown[each] / whole) for each in ("iowait", "steal") if each in grown)
    return values


def memory():
    """available: the share that programs can still be given; free: in bytes; swap: the share of it that is used."""
    found, swap = _psutil().virtual_memory(), _psutil().swap_memory()
    return {"available": found.available / found.total, "free": found.available,
            "swap": swap.used / swap.total if swap.total else 0.0}  # fmt: skip


def uptime():
    """age: to a second, as the kernel tells when it began."""
    return {"age": max(0.0, time.time() - _psutil().boot_time())}


def _processes():
    psutil = _psutil()
    psutil.boot_time()  # without what it reads of the kernel, this tells so, and a list of processes might be empty
    return psutil.process_iter()


def process(name=None, command=None, user=None, mark=None):
    """count of those with this name, and with a command line that `command` is found in, of a user where one is named;
    age (s) of the oldest, to a second; rss, cpu of them together.
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
            continue  # it has just ended
    return summarize(found, mark, boot_mark(mark, began), up, up)


def _command_line(each):
    """The words of its command line, read as the kernel's files are."""
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
            continue  # it has just ended
    return {"count": count}


def mount(path):
    """present, type, options (words) of what is mounted there."""
    found = _psutil().disk_partitions(all=True)
    return find_mount([(each.mountpoint, each.fstype, each.opts.split(",")) for each in found], path)


def port(port, protocol="tcp"):
    """open: whether something listens; addresses: on which."""
    psutil = _psutil()
    ours = [each for each in psutil.net_connections(protocol) if each.laddr and each.laddr.port == port]
    found = {each.laddr.ip for each in ours if protocol == "udp" or each.status == psutil.CONN_LISTEN}
    return port_values(port, protocol, found)


def interface(name, mark=None):
    """present, state (up or down: whether it carries anything), speed (Mbit/s, where it is known), errors, dropped:
    since it came up; error_rate, drop_rate: a second, since the look before.
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
