"""Assembles new files in the staging area, block by block, and verifies them before they are installed."""

import grp
import hashlib
import os
import pwd
import stat
import zlib

from multiall_cli.remote.formats import tree_records
from multiall_cli.remote.formats.transfer import BLOCK, HOLE, RAW
from multiall_cli.remote.ops.content import identity_of, is_hole, iter_blocks, read_block
from multiall_cli.remote.ops.dirfd import checked_path
from multiall_cli.remote.ops.scan import read_xattrs
from multiall_cli.remote.refusal import Refusal

WRITE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_MANY = 8  # new files from which on one syncfs is cheaper than an fsync each


def owner_ids(owner, group):
    """Return (uid, gid) of names or numbers; -1 if none is wanted. Raises Refusal if a name is unknown here."""
    return _id(owner, "user", lambda name: pwd.getpwnam(name).pw_uid), _id(
        group, "group", lambda name: grp.getgrnam(name).gr_gid
    )


def _id(name, what, look_up):
    if name is None or name == "":
        return -1
    if isinstance(name, int):
        return name
    try:
        return look_up(name)
    except KeyError:
        if name.isdigit():
            return int(name)
        raise Refusal("there is no %s %s" % (what, name), "create it, or change the inventory")


def set_attributes(target, change):
    """Set owner, mode, xattrs and mtime of an open file or directory. Owner first: it clears setuid bits."""
    uid, gid = owner_ids(change.get("owner"), change.get("group"))
    if uid != -1 or gid != -1:
        found = os.fstat(target)
        if (uid not in (-1, found.st_uid)) or (gid not in (-1, found.st_gid)):
            _change_owner(target, uid, gid, change.get("inherits"))
    if change.get("mode") is not None:
        os.fchmod(target, change["mode"])
    if change.get("xattrs") is not None:
        set_xattrs(target, bytes.fromhex(change["xattrs"]))
    if change.get("mtime") is not None:
        os.utime(target, ns=(change["mtime"], change["mtime"]))


def restrict_root(root, directories):
    """Remove permissions from the open root that it is to lose, before anything is put into it. The rest is set last.

    `directories`: the directory changes of the payload.
    """
    for change in directories:
        if change["path"] == "" and change.get("mode") is not None:
            try:
                os.fchmod(root, stat.S_IMODE(os.fstat(root).st_mode) & (change["mode"] | 0o7700))
            except PermissionError:
                return  # reported later, with its own change


def _change_owner(target, uid, gid, inherited):
    """Set owner and group. Inherited ones are best effort: only as far as permissions allow."""
    try:
        os.fchown(target, uid, gid)
        return
    except PermissionError:
        if not inherited:
            raise
    for key, ids in (("owner", (uid, -1)), ("group", (-1, gid))):  # this user may belong to the group
        try:
            os.fchown(target, *ids)
        except PermissionError:
            if key not in inherited:
                raise


def inherit_owner(change, old):
    """Take undeclared owner and group from the replaced file, whose stat is `old`."""
    for key, number in (("owner", old.st_uid), ("group", old.st_gid)):
        if not change.get(key):
            change[key] = number
            change.setdefault("inherits", []).append(key)


def without_inherited(change, uid, gid):
    """Return uid and gid, with -1 for those that are only inherited."""
    inherited = change.get("inherits", ())
    return -1 if "owner" in inherited else uid, -1 if "group" in inherited else gid


def set_xattrs(handle, packed):
    """Set exactly these extended attributes, packed as by `read_xattrs`."""
    wanted = dict(tree_records.unpack_xattrs(packed))
    for name, _ in tree_records.unpack_xattrs(read_xattrs(handle)):
        if name not in wanted:
            os.removexattr(handle, name)
    for name, value in wanted.items():
        os.setxattr(handle, name, value)


def write_all(handle, block):
    """Write all bytes: a write may be short."""
    view = memoryview(block)
    while view:
        view = view[os.write(handle, view) :]


class PartialFile(object):
    """A file that is being assembled in the stage."""

    def __init__(self, stage, tree, change):
        self.change = change
        self._stage = stage
        self._name = b"part-%d" % change["index"]
        self._base = None
        base = change.get("base")
        if base is not None:
            self._base = tree.open_file(checked_path(base["path"]))
            if identity_of(os.fstat(self._base)) != base["identity"]:
                os.close(self._base)
                raise Stale()
        self._handle = os.open(self._name, WRITE, 0o600, dir_fd=stage)
        self._old = os.fstat(self._base) if self._base is not None else None
        self._digest = hashlib.sha256()
        self._next = 0
        self._skipped = False
        self._closed = False

    def block(self, what, number, body):
        """Add a block. Blocks before it that were not sent are copied from the old file."""
        self._copy_until(number)
        if what == HOLE:
            self._skip(number)
        else:
            self._write(body if what == RAW else _inflate(body))
        self._next = number + 1

    def _copy_until(self, number):
        if self._base is None or number <= self._next:
            return
        while self._next < number:
            block = read_block(self._base, self._next)
            if not block:
                return
            if is_hole(self._base, self._old, self._next):
                self._pass(len(block))
            else:
                self._write(block)
            self._next += 1

    def _skip(self, number):
        """Add a hole of one block."""
        self._pass(max(0, min(BLOCK, self.change["size"] - number * BLOCK)))

    def _pass(self, length):
        self._skipped = True
        self._digest.update(bytes(length))
        os.lseek(self._handle, length, os.SEEK_CUR)

    def _write(self, block):
        self._digest.update(block)
        write_all(self._handle, block)

    def finish(self):
        """Return the name of the finished file in the stage. Raises Stale if its digest is not the announced one."""
        self._copy_until(-(-self.change["size"] // BLOCK))
        wanted = self.change["digest"]
        if self._digest.hexdigest() != wanted:
            raise Stale()
        if self._skipped:
            os.ftruncate(self._handle, self.change["size"])  # include a hole at the end
        set_attributes(self._handle, self.change)
        finished = wanted.encode("ascii") + b"-%d" % self.change["index"]
        os.replace(self._name, finished, src_dir_fd=self._stage, dst_dir_fd=self._stage)
        return finished

    def close(self):
        """Close both files. May be called again."""
        if self._closed:
            return
        self._closed = True
        os.close(self._handle)
        if self._base is not None:
            os.close(self._base)


class Stale(Exception):
    """The base of a change is no longer what was observed. The text may say more."""


def _inflate(body):
    unpacker = zlib.decompressobj()
    block = unpacker.decompress(body, BLOCK)
    if unpacker.unconsumed_tail:
        raise Refusal("a block of more than %d bytes" % BLOCK, "use the same release on both sides")
    return block


def reuse_staged(stage, name, change):
    """Take over a finished file of an interrupted run; return its new name, or None if it is damaged."""
    handle = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=stage)
    try:
        digest = hashlib.sha256()
        for _, block in iter_blocks(handle):
            digest.update(block)
        if digest.hexdigest() != change["digest"]:
            return None
        set_attributes(handle, change)
    finally:
        os.close(handle)
    finished = change["digest"].encode("ascii") + b"-%d" % change["index"]
    os.replace(name, finished, src_dir_fd=stage, dst_dir_fd=stage)
    return finished


def sync_files(stage, names):
    """Make the staged files survive power loss."""
    if len(names) >= _MANY and _syncfs(stage):
        return
    for name in names:
        handle = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=stage)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _syncfs(handle):
    """Sync the whole file system; return False if the C library has no syncfs."""
    try:
        import ctypes

        library = ctypes.CDLL(None, use_errno=True)
        if library.syncfs(handle) == 0:
            return True
        number = ctypes.get_errno()
    except (ImportError, OSError, AttributeError):
        return False
    raise OSError(number, os.strerror(number))
