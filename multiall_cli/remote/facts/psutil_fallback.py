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
from multiall_cli.remote.facts.mount import mount_of
from multiall_cli.remote.facts.port import on_addresses
from multiall_cli.remote.facts.process import is_meant, number_of, summed
from multiall_cli.remote.facts.sources import Unsupported, since

SAME_START = 60  # seconds between two moments that the clock gave to one start of the machine
WORDS = 1 << 16  # bytes of a command line, as the kernel's files are read
TIMES = ("user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal")


def instead(name, path):
    """What is to be called in place of a gauge whose `path` is missing. Errors: Unsupported."""
    reader: "Any" = READERS.get(name)
    if reader is None:
        raise Unsupported("%s is missing there, and psutil has nothing in its place: %s" % (path, _helps(path)))
    try:
        psutil = _library()
    except ImportError:
        raise Unsupported("%s is missing there, and psutil is missing there: install python3-psutil, or "
                          "psutil by pip, for %s" % (path, sys.executable or "python3")) from None  # fmt: skip

    def read(**arguments):
        try:
            return reader(**arguments)
        except FileNotFoundError as fault:
            gone = fault.filename or path
            raise Unsupported("%s is missing there, and psutil reads it too: %s" % (gone, _helps(gone)))
        except psutil.AccessDenied as fault:
            raise OSError(errno.EACCES, os.strerror(errno.EACCES), "psutil: %s" % fault)

    return read


def _helps(path):
    """What to do about a file of the kernel that is missing."""
    if path.startswith("/proc") and os.path.exists("/proc/self/stat"):
        return "its kernel was made or started without it; leave this check out"
    return "where it runs Linux, mount %s; elsewhere, leave this check out" % "/".join(path.split("/")[:2])


@lru_cache(maxsize=1)
def _library():
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


def start_of(mark, moment):
    """Which start of the machine this is: the moment of it, as the look before had it, for it moves with the clock."""
    found = re.match(r"psutil (\d+)", str(mark.get("of")) if isinstance(mark, dict) else "")
    if found is not None and abs(int(found.group(1)) - moment) <= SAME_START:
        return found.group(0)
    return "psutil %d" % moment


def _marked(mark, counters, of=""):
    return {"of": start_of(mark, _library().boot_time()) + of, "at": time.monotonic(), "counters": counters}


def _ticks(seconds):
    """In the kernel's unit: so there are no parts of one in a mark."""
    return round(seconds * os.sysconf("SC_CLK_TCK"))


def cpu(mark=None):
    """used; iowait, steal where they are counted there: shares of the time since the look before."""
    psutil = _library()
    try:
        times = psutil.cpu_times()
    except TypeError:  # of what it has in their place then (7.2)
        raise Unsupported("psutil %s tells no processor times where /proc was missing when it was loaded: mount /proc"
                          % psutil.__version__) from None  # fmt: skip
    names = [each for each in TIMES if hasattr(times, each)]
    now = _marked(mark, [_ticks(getattr(times, each)) for each in names])
    found = since(mark, now)
    if found is None or sum(found[1]) == 0:
        return {}, now
    return shares_of(dict(zip(names, found[1]))), now


def shares_of(grown):
    """Of kinds of time → ticks."""
    whole = float(sum(grown.values()))
    told = {"used": (whole - grown["idle"] - grown.get("iowait", 0)) / whole}
    told.update((each, grown[each] / whole) for each in ("iowait", "steal") if each in grown)
    return told


def memory():
    """available: the share that programs can still be given; free: in bytes; swap: the share of it that is used."""
    found, swap = _library().virtual_memory(), _library().swap_memory()
    return {"available": found.available / found.total, "free": found.available,
            "swap": swap.used / swap.total if swap.total else 0.0}  # fmt: skip


def uptime():
    """age: to a second, as the kernel tells when it began."""
    return {"age": max(0.0, time.time() - _library().boot_time())}


def _processes():
    psutil = _library()
    psutil.boot_time()  # without what it reads of the kernel, this tells so, and a list of processes might be empty
    return psutil.process_iter()


def process(name=None, command=None, user=None, mark=None):
    """count of those with this name, and with a command line that `command` is found in, of a user where one is named;
    age (s) of the oldest, to a second; rss, cpu of them together.
    """
    psutil, wanted, found = _library(), (name, number_of(user), command), {}
    began = psutil.boot_time()
    up = max(0.0, time.time() - began)
    for each in _processes():
        try:
            with each.oneshot():
                has = (each.name(), each.uids().effective, partial(_words, each), partial(_program, each))
                if each.status() != psutil.STATUS_ZOMBIE and is_meant(wanted, *has):
                    ran = _ticks(sum(each.cpu_times()[:2]))
                    found[each.pid] = (each.create_time() - began, ran, each.memory_info().rss)
        except psutil.NoSuchProcess:
            continue  # it has just ended
    return summed(found, mark, start_of(mark, began), up, up)


def _words(each):
    """The words of its command line, read as the kernel's files are."""
    words = list(each.cmdline())
    while words and not words[-1]:
        words.pop()
    whole = "\0".join(words).encode("utf-8", "surrogateescape")[:WORDS].decode("utf-8", "replace")
    return whole.split("\0") if whole else []


def _program(each):
    try:
        return each.exe()
    except (OSError, _library().Error):
        return ""


def zombies():
    psutil, count = _library(), 0
    for each in _processes():
        try:
            count += each.status() == psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            continue  # it has just ended
    return {"count": count}


def mount(path):
    """present, type, options (words) of what is mounted there."""
    found = _library().disk_partitions(all=True)
    return mount_of([(each.mountpoint, each.fstype, each.opts.split(",")) for each in found], path)


def port(port, protocol="tcp"):
    """open: whether something listens; addresses: on which."""
    psutil = _library()
    ours = [each for each in psutil.net_connections(protocol) if each.laddr and each.laddr.port == port]
    found = {each.laddr.ip for each in ours if protocol == "udp" or each.status == psutil.CONN_LISTEN}
    return on_addresses(port, protocol, found)


def interface(name, mark=None):
    """present, state (up or down: whether it carries anything), speed (Mbit/s, where it is known), errors, dropped:
    since it came up; error_rate, drop_rate: a second, since the look before.
    """
    import socket

    found, counted = _library().net_if_stats().get(name), _library().net_io_counters(pernic=True).get(name)
    if found is None or counted is None:
        return {"present": False}, None
    lost = [counted.errin, counted.errout, counted.dropin, counted.dropout]
    told = {"present": True, "state": "up" if found.isup else "down"}
    told.update(errors=sum(lost[:2]), dropped=sum(lost[2:]))
    if found.speed > 0:
        told["speed"] = found.speed
    now = _marked(mark, lost, ":%d" % socket.if_nametoindex(name))
    grown = since(mark, now)
    if grown is not None:
        told.update(error_rate=sum(grown[1][:2]) / grown[0], drop_rate=sum(grown[1][2:]) / grown[0])
    return told, now


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
