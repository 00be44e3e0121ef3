"""The file fact."""

import grp
import hashlib
import os
import pwd
import stat
import time
from functools import lru_cache

from multiall_cli.remote.facts.sources import search

MAX_NAMES = 1000  # names of users and groups that are cached
MAX_SEARCHED = 1 << 24  # bytes of a file that are searched
_KINDS = {stat.S_IFREG: "file", stat.S_IFDIR: "directory", stat.S_IFLNK: "link", stat.S_IFIFO: "pipe",
          stat.S_IFSOCK: "socket", stat.S_IFBLK: "block device", stat.S_IFCHR: "device"}  # fmt: skip


def file(path, match=None, sha256=False, follow=True):
    """Return present, kind, mode, owner, group, size, age (seconds), target; matches and sha256 on request."""
    try:
        found = os.stat(path) if follow else os.lstat(path)
    except FileNotFoundError:
        return {"present": False}
    except NotADirectoryError:
        return {"present": False}
    values = {
        "present": True,
        "kind": _KINDS.get(stat.S_IFMT(found.st_mode), "other"),
        "mode": "%04o" % stat.S_IMODE(found.st_mode),
        "owner": _user_name(found.st_uid),
        "group": _group_name(found.st_gid),
        "size": found.st_size,
        "age": max(0.0, time.time() - found.st_mtime),
    }
    if os.path.islink(path):
        values["target"] = os.readlink(path)
    if match is not None or sha256:
        values.update(_content(path, match, sha256))
    return values


def _content(path, match, sha256):
    values: "dict[str, object]" = {}
    with open(path, "rb") as opened:
        if match is not None:
            values.update(search(match, opened.read(MAX_SEARCHED + 1), MAX_SEARCHED))
            opened.seek(0)
        if sha256:
            digest = hashlib.sha256()
            for piece in iter(lambda: opened.read(1 << 20), b""):
                digest.update(piece)
            values["sha256"] = digest.hexdigest()
    return values


@lru_cache(maxsize=MAX_NAMES)
def _user_name(number):
    """Return the name of a user, or the number as text."""
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)


@lru_cache(maxsize=MAX_NAMES)
def _group_name(number):
    try:
        return grp.getgrgid(number).gr_name
    except KeyError:
        return str(number)
