"""Describes the member, from the kernel and from files. Starts no program."""

import os
import platform
import pwd
import sys
import time

from multiall_cli.remote.ops import dirfd, renameat2
from multiall_cli.remote.refusal import Refusal


def _first_line(path, default=""):
    try:
        with open(path, errors="replace") as lines:
            return lines.readline().strip()
    except OSError:
        return default


def _release():
    """Return the pairs in /etc/os-release."""
    pairs = {}
    try:
        with open("/etc/os-release", errors="replace") as lines:
            for line in lines:
                name, equals, value = line.strip().partition("=")
                if equals:
                    pairs[name] = value.strip("\"'")
    except OSError:
        return {}
    return pairs


def _memory():
    """Return the bytes of memory, or None if unknown."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError):
        return None


def _user():
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return str(os.geteuid())


def _without_exchange(roots):
    """Return the trees on file systems that cannot exchange two names. Missing trees are skipped."""
    found = []
    for root in roots:
        try:
            handle = dirfd.open_directory(dirfd.absolute_path(root))
        except (OSError, Refusal):
            continue  # a sync reports the error
        try:
            if not renameat2.can_exchange(handle):
                found.append(root)
        except OSError:
            continue
        finally:
            os.close(handle)
    return found


def host_info(request, roots=()):
    """Return hostname, system, kernel, architecture, python, user, uid, cpus, memory, uptime, now and others.

    `roots`: trees to test; `no_exchange` lists those whose file system cannot exchange two names.
    """
    system = os.uname()
    release = _release()
    uptime = _first_line("/proc/uptime").split(" ")[0]
    return {
        "hostname": system.nodename,
        "system": release.get("PRETTY_NAME", platform.system()),
        "distribution": release.get("ID", ""),
        "version": release.get("VERSION_ID", ""),
        "kernel": system.release,
        "architecture": system.machine,
        "python": platform.python_version(),
        "executable": sys.executable,
        "user": _user(),
        "uid": os.geteuid(),
        "cpus": os.cpu_count(),
        "memory": _memory(),
        "uptime": float(uptime) if uptime else None,
        "now": time.time(),
        "machine_id": _first_line("/etc/machine-id"),
        "no_exchange": _without_exchange(roots),
    }
