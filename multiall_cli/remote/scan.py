"""Looks at a tree: one stat per entry, by handle, nothing followed, nothing written."""

import grp
import hashlib
import os
import pwd
import stat
import time
import zlib

from multiall_cli.remote import records
from multiall_cli.remote.content import requests
from multiall_cli.remote.handles import DIRECTORY, WORKSHOP, Tree, absolute, open_directory, proper, to_text
from multiall_cli.remote.patterns import Patterns

MOST_PROBLEMS = 20  # that are told one by one
XATTR_KEPT = (b"user.", b"system.posix_acl_", b"security.capability")


def read_xattrs(path_or_handle, follow=True):
    """The attributes that belong to the file and not to the machine (no SELinux labels)."""
    try:
        names = os.listxattr(path_or_handle, follow_symlinks=follow)
    except OSError:
        return b""
    kept = [os.fsencode(name) for name in names if os.fsencode(name).startswith(XATTR_KEPT)]
    return records.pack_xattrs([(name, os.getxattr(path_or_handle, name, follow_symlinks=follow)) for name in kept])


class Scan(object):
    """One walk. `packed` grows by a record per entry; directories come before what they hold, names in order.

    `deep`: with what lies below directories.
    """

    def __init__(self, exchange, excluded, xattrs, deep=True):
        self.exchange = exchange
        self.excluded = excluded
        self.xattrs = xattrs
        self.deep = deep
        self.packed = []
        self.problems = []
        self.users, self.groups = {}, {}
        self._inodes = {}

    def these(self, tree, paths):
        """Records of these paths, where they are there."""
        try:
            for path in paths:
                try:
                    parent, name = tree.parent(path)
                    self._entry(parent, name, path, os.stat(name, dir_fd=parent, follow_symlinks=False))
                except (FileNotFoundError, NotADirectoryError):
                    continue
                except OSError as fault:
                    self.problems.append((to_text(path), fault.strerror))
                self.exchange.beat()
        finally:
            tree.close()

    def directory(self, handle, path):
        """Records of all that lies below an open directory; whether anything was left out."""
        left_out = False
        for name in sorted(os.fsencode(name) for name in os.listdir(handle)):
            if name.startswith(WORKSHOP):
                left_out = True  # another tree's, or ours: it keeps files, so what holds it is not to be deleted
                continue
            below = path + b"/" + name if path else name
            try:
                found = os.stat(name, dir_fd=handle, follow_symlinks=False)
                if not self._entry(handle, name, below, found):
                    left_out = True
            except FileNotFoundError:
                continue  # it went away while we looked: then it is not there
            except OSError as fault:
                self.problems.append((to_text(below), fault.strerror))
        self.exchange.beat()
        return left_out

    def _entry(self, parent, name, path, found):
        """Take one entry in; False where it is left out."""
        is_directory = stat.S_ISDIR(found.st_mode)
        if self.excluded and self.excluded.match(path, is_directory):
            return False
        if is_directory:
            self._below(parent, name, path, found)
        elif stat.S_ISLNK(found.st_mode):
            self._add(records.LINK, found, path, os.fsencode(os.readlink(name, dir_fd=parent)))
        elif stat.S_ISREG(found.st_mode):
            self._file(parent, name, path, found)
        else:
            return False
        return True

    def _below(self, parent, name, path, found):
        place = len(self.packed)
        self.packed.append(b"")
        handle = os.open(name, DIRECTORY, dir_fd=parent)
        try:
            left_out = self.directory(handle, path) if self.deep else False
            xattrs = read_xattrs(handle) if self.xattrs else b""
        finally:
            os.close(handle)
        self.name(found)
        flags = records.HOLDS_MORE if left_out else 0
        self.packed[place] = records.pack(records.DIRECTORY, flags, found, path, b"", xattrs)

    def _file(self, parent, name, path, found):
        first = self._inodes.setdefault((found.st_dev, found.st_ino), path) if found.st_nlink > 1 else path
        if first != path:
            self._add(records.HARDLINK, found, path, first)
            return
        xattrs = b""
        if self.xattrs:
            handle = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=parent)
            try:
                xattrs = read_xattrs(handle)
            finally:
                os.close(handle)
        self._add(records.FILE, found, path, b"", xattrs)

    def _add(self, kind, found, path, target=b"", xattrs=b""):
        self.name(found)
        flags = records.LINKED if kind in (records.FILE, records.HARDLINK) and found.st_nlink > 1 else 0
        self.packed.append(records.pack(kind, flags, found, path, target, xattrs))

    def name(self, found):
        """Remember what the owner and the group are called here."""
        if found.st_uid not in self.users:
            try:
                self.users[found.st_uid] = pwd.getpwuid(found.st_uid).pw_name
            except KeyError:
                self.users[found.st_uid] = str(found.st_uid)
        if found.st_gid not in self.groups:
            try:
                self.groups[found.st_gid] = grp.getgrgid(found.st_gid).gr_name
            except KeyError:
                self.groups[found.st_gid] = str(found.st_gid)


def scan(exchange, root, exclude=(), xattrs=False, known=""):
    """The tree below `root`, packed and compressed; nothing but `same` where its digest is the `known` one.

    A root that is missing or is no directory is told in `root`: "missing", "other" or "directory".
    """

    def walk(handle):
        found = Scan(exchange, Patterns(exclude), xattrs)
        found.directory(handle, b"")
        return found

    return _look(exchange, root, walk, known)


def look_at(exchange, root, xattrs=False):
    """As `scan`, but only of the paths that the payload names, one line of JSON each, and of nothing below them."""
    paths = [proper(path) for path in requests(exchange)]

    def walk(handle):
        found = Scan(exchange, None, xattrs, deep=False)
        found.these(Tree(os.dup(handle)), paths)
        return found

    return _look(exchange, root, walk)


def _look(exchange, root, walk, known=""):
    path = absolute(root)
    try:
        handle = open_directory(path)
    except FileNotFoundError:
        return {"root": "missing", "uid": os.geteuid()}
    except NotADirectoryError:
        return {"root": "other", "uid": os.geteuid()}
    try:
        found = walk(handle)
        top = os.fstat(handle)
        found.name(top)
    finally:
        os.close(handle)
    packed = b"".join(found.packed)
    own = (top.st_mode, top.st_uid, top.st_gid)
    names = repr((sorted(found.users.items()), sorted(found.groups.items()), own)).encode("utf-8", "surrogateescape")
    digest = hashlib.sha256(packed + names).hexdigest()
    if digest != known:
        exchange.piece(zlib.compress(packed, 1))
    return {
        "root": "directory",
        "same": digest == known,
        "digest": digest,
        "size": len(packed),
        "entries": len(found.packed),
        "users": found.users,
        "groups": found.groups,
        "problems": found.problems[:MOST_PROBLEMS],
        "problem_count": len(found.problems),
        "top": [stat.S_IMODE(top.st_mode), top.st_uid, top.st_gid, top.st_mtime_ns],
        "now": time.time(),
        "uid": os.geteuid(),
    }
