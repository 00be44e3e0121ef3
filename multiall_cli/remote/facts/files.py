"""Gauges of files, folders, mounts and disks: what each shows of one subject."""

import glob
import grp
import hashlib
import os
import pwd
import re
import stat
import time
from functools import lru_cache

from multiall_cli.remote.facts.sources import found_in

MOST_NAMES = 1000  # accounts whose names one look remembers
MOST = 1 << 24  # bytes of a file that are searched
_KINDS = {stat.S_IFREG: "file", stat.S_IFDIR: "directory", stat.S_IFLNK: "link", stat.S_IFIFO: "pipe",
          stat.S_IFSOCK: "socket", stat.S_IFBLK: "block device", stat.S_IFCHR: "device"}  # fmt: skip


def file(path, match=None, sha256=False, follow=True):
    """present, kind, mode, owner, group, size, age (s), target; matches (where a pattern is given), sha256."""
    try:
        found = os.stat(path) if follow else os.lstat(path)
    except FileNotFoundError:
        return {"present": False}
    except NotADirectoryError:
        return {"present": False}
    told = {
        "present": True,
        "kind": _KINDS.get(stat.S_IFMT(found.st_mode), "other"),
        "mode": "%04o" % stat.S_IMODE(found.st_mode),
        "owner": _user(found.st_uid),
        "group": _group(found.st_gid),
        "size": found.st_size,
        "age": max(0.0, time.time() - found.st_mtime),
    }
    if os.path.islink(path):
        told["target"] = os.readlink(path)
    if match is not None or sha256:
        told.update(_content(path, match, sha256))
    return told


def _content(path, match, sha256):
    told: "dict[str, object]" = {}
    with open(path, "rb") as opened:
        if match is not None:
            told.update(found_in(match, opened.read(MOST + 1), MOST))
            opened.seek(0)
        if sha256:
            digest = hashlib.sha256()
            for piece in iter(lambda: opened.read(1 << 20), b""):
                digest.update(piece)
            told["sha256"] = digest.hexdigest()
    return told


@lru_cache(maxsize=MOST_NAMES)
def _user(number):
    """The account's name, looked for once: each look is a process of its own."""
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)


@lru_cache(maxsize=MOST_NAMES)
def _group(number):
    try:
        return grp.getgrgid(number).gr_name
    except KeyError:
        return str(number)


def files(path):
    """count of what a pattern finds; age (s) of the newest, where there is one."""
    _must_be_readable(path)
    dates = []
    for each in glob.glob(path):
        try:
            dates.append(os.lstat(each).st_mtime)
        except FileNotFoundError:
            continue  # it has just gone
    told: "dict[str, float]" = {"count": len(dates)}
    if dates:
        told["age"] = max(0.0, time.time() - max(dates))
    return told


def _must_be_readable(path):
    """To a pattern, a folder that it may not look into is an empty one. Errors: PermissionError."""
    fixed = os.path.dirname(path)
    while glob.has_magic(fixed):
        fixed = os.path.dirname(fixed)
    try:
        os.listdir(fixed or ".")
    except (FileNotFoundError, NotADirectoryError):
        return


def mounts():
    """(path, type, options) of each, the last one on a path last."""
    with open("/proc/self/mounts", errors="surrogateescape") as lines:
        for line in lines:
            words = line.split(" ")
            if len(words) > 3:
                yield _unescaped(words[1]), words[2], words[3].split(",")


def _unescaped(word):
    return re.sub(r"\\([0-7]{3})", lambda found: chr(int(found.group(1), 8)), word)


def mount(path):
    """present, type, options (words) of what is mounted there."""
    return mount_of(list(mounts()), path)


def mount_of(table, path):
    """Of (path, type, options); the path may end in a slash or lead through a link, which is looked at last: a server
    that is gone would not let us.
    """
    for way in (_plain, os.path.realpath):
        place = way(path)
        found = [each for each in table if each[0] == place]
        if found:
            return {"present": True, "type": found[-1][1], "options": found[-1][2]}
    return {"present": False}


def _plain(path):
    return "/" + os.path.normpath(path).lstrip("/")


def mount_above(path):
    """The mount point of the file system that a path is on."""
    place, known = os.path.realpath(path), set()
    if os.path.exists("/proc/self/mounts"):
        known = {each for each, _, _ in mounts()}
    while place not in known and not os.path.ismount(place):  # a folder that is mounted twice is in the table only
        place = os.path.dirname(place)
    return place


def disk(path):
    """used, inodes: shares as df has them; free: bytes for us; mounted: whether a file system is mounted there."""
    try:
        found = os.statvfs(path)
    except FileNotFoundError:
        return {"present": False}
    place = mount_above(path)
    used = found.f_blocks - found.f_bfree
    room, nodes = used + found.f_bavail, found.f_files
    return {
        "present": True,
        "used": used / room if room else 0.0,
        "free": found.f_bavail * found.f_frsize,
        "inodes": (nodes - found.f_ffree) / nodes if nodes else 0.0,
        "mounted": place == os.path.realpath(path),
        "why": {"mounted": "it is on %s" % place},
    }
