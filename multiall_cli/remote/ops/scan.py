"""Scans a tree: one stat per entry, by handle. Follows no links and writes nothing."""

import errno
import grp
import hashlib
import os
import pwd
import stat
import time
import zlib

from multiall_cli.remote.formats import tree_records
from multiall_cli.remote.formats.patterns import Patterns
from multiall_cli.remote.ops.content import read_json_lines
from multiall_cli.remote.ops.dirfd import (
    DIRECTORY,
    STAGING_PREFIX,
    Tree,
    absolute_path,
    check_root,
    checked_path,
    open_directory,
    root_identity,
    to_text,
)
from multiall_cli.remote.ops.staging_area import check_run, is_staging_area, last_run

MAX_PROBLEMS = 20  # problems that are listed
MAX_NAMED = 1000  # special files, mounts and reserved names that are listed
MAX_PATH = 4096  # bytes of a path below the root, the limit of the kernel
SPECIAL = {
    stat.S_IFIFO: "named pipe",
    stat.S_IFSOCK: "socket",
    stat.S_IFBLK: "block device",
    stat.S_IFCHR: "character device",
}
XATTR_PREFIXES = (b"user.", b"system.posix_acl_", b"security.capability")


def read_xattrs(path_or_handle, follow=True):
    """Return the packed xattrs that belong to the file and not to the host (no SELinux labels)."""
    try:
        names = os.listxattr(path_or_handle, follow_symlinks=follow)
    except OSError:
        return b""
    kept = [os.fsencode(name) for name in names if os.fsencode(name).startswith(XATTR_PREFIXES)]
    return tree_records.pack_xattrs(
        [(name, os.getxattr(path_or_handle, name, follow_symlinks=follow)) for name in kept]
    )


class OpenDirectory(object):
    """A directory on the current path: its handle, stat, and the index of its record."""

    def __init__(self, handle, path, found=None, place=0):
        self.handle = handle
        self.path = path
        self.found = found
        self.place = place
        self.incomplete = False
        self.names = iter(sorted(os.fsencode(name) for name in os.listdir(handle)))


class Scan(object):
    """One scan. `packed` has one record per entry: directories before their entries, names in order.

    `special`: [path, kind] of pipes, sockets and devices. `mounts`: directories with another file system on them.
    `ours`: names with our prefix that are no staging area.
    """

    def __init__(self, request, excluded, xattrs):
        self.request = request
        self.excluded = excluded
        self.xattrs = xattrs
        self.packed = []
        self.problems = []
        self.special, self.mounts, self.ours = [], [], []
        self.users, self.groups = {}, {}
        self._device = None
        self._inodes = {}  # (device, inode) → [first name, link count, indexes of records]

    def scan_paths(self, tree, paths):
        """Add records of these paths, if they exist, and of nothing below them."""
        self._device = os.fstat(tree.handle).st_dev
        try:
            for path in paths:
                try:
                    parent, name = tree.parent(path)
                    level = self._add_entry(parent, name, path, os.stat(name, dir_fd=parent, follow_symlinks=False))
                    if level is not None:
                        self._close_directory(level)
                except (FileNotFoundError, NotADirectoryError):
                    continue
                except OSError as fault:
                    self.problems.append((to_text(path), fault.strerror))
                self.request.heartbeat()
        finally:
            tree.close()
        self._mark_shared()

    def scan_tree(self, handle):
        """Add records of everything below an open directory. Not recursive: a tree may be deeper than the stack."""
        self._device = os.fstat(handle).st_dev
        levels = [OpenDirectory(handle, b"")]
        try:
            while levels:
                name = next(levels[-1].names, None)
                if name is not None:
                    deeper = self._scan_entry(levels[-1], name)
                    levels += [deeper] if deeper is not None else []
                    continue
                self.request.heartbeat()
                if len(levels) == 1:
                    break
                self._close_directory(levels.pop())
        finally:
            for level in levels[1:]:
                os.close(level.handle)
        self._mark_shared()

    def _scan_entry(self, level, name):
        """Add one entry of a directory; return its OpenDirectory if it has entries of its own."""
        path = level.path + b"/" + name if level.path else name
        try:
            if name.startswith(STAGING_PREFIX):
                level.incomplete = True  # a staging area: its parent must not be deleted
                self._note_reserved_name(level.handle, name, path)
                return None
            if len(path) > MAX_PATH:
                raise OSError(errno.ENAMETOOLONG, "a path of %d bytes; the limit is %d" % (len(path), MAX_PATH))
            found = os.stat(name, dir_fd=level.handle, follow_symlinks=False)
            if self._is_skipped(path, found):
                level.incomplete = True
                return None
            return self._add_entry(level.handle, name, path, found)
        except FileNotFoundError:
            return None  # removed meanwhile
        except OSError as fault:
            self.problems.append((to_text(path), fault.strerror))
        return None

    def _note_reserved_name(self, parent, name, path):
        """Record a name with our prefix that is no staging area."""
        found = os.stat(name, dir_fd=parent, follow_symlinks=False)
        if self.excluded and self.excluded.match(path, stat.S_ISDIR(found.st_mode)):
            return
        if not is_staging_area(parent, name):
            self.ours.append(to_text(path))

    def _is_skipped(self, path, found):
        """Return whether an entry gets no record: it is excluded, or a special file."""
        if self.excluded and self.excluded.match(path, stat.S_ISDIR(found.st_mode)):
            return True
        return self._is_special(path, found)

    def _is_special(self, path, found):
        kind = stat.S_IFMT(found.st_mode)
        if kind in (stat.S_IFREG, stat.S_IFDIR, stat.S_IFLNK):
            return False
        self.special.append([to_text(path), SPECIAL.get(kind, "special file")])
        return True

    def _add_entry(self, parent, name, path, found):
        """Add the record of one entry. Return the OpenDirectory of a directory; its record is filled in on leaving."""
        if stat.S_ISDIR(found.st_mode):
            if found.st_dev != self._device:
                self.mounts.append(to_text(path))
            handle = os.open(name, DIRECTORY, dir_fd=parent)
            self.packed.append(b"")
            return OpenDirectory(handle, path, found, len(self.packed) - 1)
        if stat.S_ISLNK(found.st_mode):
            self._add(tree_records.LINK, found, path, os.fsencode(os.readlink(name, dir_fd=parent)))
        elif stat.S_ISREG(found.st_mode):
            self._add_file(parent, name, path, found)
        else:
            self._is_special(path, found)
        return None

    def _close_directory(self, level):
        """Close a directory and fill in its record: only now is it known whether an entry was skipped."""
        try:
            xattrs = read_xattrs(level.handle) if self.xattrs else b""
        finally:
            os.close(level.handle)
        self.record_owner(level.found)
        flags = tree_records.HOLDS_MORE if level.incomplete else 0
        self.packed[level.place] = tree_records.pack(
            tree_records.DIRECTORY, flags, level.found, level.path, b"", xattrs
        )

    def _add_file(self, parent, name, path, found):
        if found.st_nlink > 1:
            names = self._inodes.setdefault((found.st_dev, found.st_ino), [path, found.st_nlink, []])
            names[2].append(len(self.packed))
            if names[0] != path:
                self._add(tree_records.HARDLINK, found, path, names[0])
                return
        xattrs = b""
        if self.xattrs:
            handle = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=parent)
            try:
                xattrs = read_xattrs(handle)
            finally:
                os.close(handle)
        self._add(tree_records.FILE, found, path, b"", xattrs)

    def _add(self, kind, found, path, target=b"", xattrs=b""):
        self.record_owner(found)
        flags = tree_records.LINKED if kind in (tree_records.FILE, tree_records.HARDLINK) and found.st_nlink > 1 else 0
        self.packed.append(tree_records.pack(kind, flags, found, path, target, xattrs))

    def _mark_shared(self):
        """Flag files that have hard links outside these records."""
        for _, links, places in self._inodes.values():
            if links > len(places):
                for place in places:
                    self.packed[place] = tree_records.with_flag(self.packed[place], tree_records.SHARED)

    def record_owner(self, found):
        """Record the names of the owner and the group."""
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


def scan(request, root, exclude=(), xattrs=False, known="", identity=None):
    """Send the packed and compressed records of a tree; nothing if its digest is `known`, only "same".

    Return "root": "missing", "other" (no directory) or "directory". `identity`: [device, inode] of the root, or None.
    """

    def walk(handle):
        found = Scan(request, Patterns(exclude), xattrs)
        found.scan_tree(handle)
        return found

    return _run_scan(request, root, walk, known, identity)


def scan_paths(request, root, xattrs=False, identity=None, run=""):
    """Like `scan`, but only for the paths in the payload (a line of JSON each), and not below them.

    `run`: the last run that may have changed the tree; raises Refusal if another one did.
    """
    paths = [checked_path(path) for path in read_json_lines(request)]

    def walk(handle):
        if run:
            check_run(absolute_path(root), handle, run)
        found = Scan(request, None, xattrs)
        found.scan_paths(Tree(os.dup(handle)), paths)
        return found

    return _run_scan(request, root, walk, identity=identity)


def _run_scan(request, root, walk, known="", identity=None):
    path = absolute_path(root)
    try:
        handle = check_root(open_directory(path), identity)
    except FileNotFoundError:
        return {"root": "missing", "uid": os.geteuid(), "run": last_run(path, None)}
    except NotADirectoryError:
        return {"root": "other", "uid": os.geteuid()}
    try:
        last = last_run(path, handle)  # before the scan, so that a run that starts meanwhile counts as another
        found = walk(handle)
        top, itself = os.fstat(handle), root_identity(handle)
        found.record_owner(top)
    finally:
        os.close(handle)
    packed = b"".join(found.packed)
    own = (top.st_mode, top.st_uid, top.st_gid)
    names = repr((sorted(found.users.items()), sorted(found.groups.items()), own)).encode("utf-8", "surrogateescape")
    digest = hashlib.sha256(packed + names).hexdigest()
    if digest != known:
        request.send(zlib.compress(packed, 1))
    return {
        "root": "directory",
        "same": digest == known,
        "digest": digest,
        "size": len(packed),
        "entries": len(found.packed),
        "users": found.users,
        "groups": found.groups,
        "problems": found.problems[:MAX_PROBLEMS],
        "problem_count": len(found.problems),
        "identity": itself,
        "run": last,
        "special": found.special[:MAX_NAMED],
        "mounts": found.mounts[:MAX_NAMED],
        "ours": found.ours[:MAX_NAMED],
        "top": [stat.S_IMODE(top.st_mode), top.st_uid, top.st_gid, top.st_mtime_ns],
        "now": time.time(),
        "uid": os.geteuid(),
    }
