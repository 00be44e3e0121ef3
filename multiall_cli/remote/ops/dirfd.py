"""Opens paths by handle, component by component, so that other users cannot redirect them."""

import errno
import os
import pwd
import stat

from multiall_cli.remote.ops import trust
from multiall_cli.remote.refusal import Refusal

DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
STAGING_PREFIX = b".multiall-"  # prefix of the staging areas, which no scan reports
MAX_LINKS = 40


def to_bytes(path):
    return path.encode("utf-8", "surrogateescape")


def to_text(path):
    return path.decode("utf-8", "surrogateescape")


def home():
    """Return the home folder of this user."""
    return os.environ.get("HOME") or pwd.getpwuid(os.geteuid()).pw_dir


def absolute_path(path):
    """Return a declared path as bytes, with `~/` expanded."""
    if path == "~" or path.startswith("~/"):
        return os.path.join(os.fsencode(home()), to_bytes(path[2:])).rstrip(b"/")
    return to_bytes(path)


class PathWalk(object):
    """A walk to a directory, component by component. Raises Refusal where an untrusted user could redirect it."""

    def __init__(self, path):
        self.path = path
        self.users = trust.trusted_users()
        self.handle = os.open(b"/", DIRECTORY)
        self.left = [part for part in path.split(b"/") if part]
        self._declared = len(self.left)  # components left that are the path's own; the others come from links
        self._links = 0
        self._above = []  # identities of the directories above

    def step(self):
        """Enter the next component. Raises OSError, or Refusal if an untrusted user may have put it there."""
        part = self.left[0]
        if part not in (b".", b".."):
            self._enter(part)
        elif part == b"..":
            self._leave()
        del self.left[0]

    def _leave(self):
        """Go up. Fail if the directory was moved: its new parent is another user's choice."""
        holder = os.open(b"..", DIRECTORY, dir_fd=self.handle)
        came_from = self._above.pop() if self._above else root_identity(self.handle)
        if root_identity(holder) != came_from:
            os.close(holder)
            raise Refusal("a directory above %s was moved meanwhile" % to_text(self.path), "run again")
        self._go(holder)

    def _enter(self, name):
        try:
            child = os.open(name, DIRECTORY, dir_fd=self.handle)
        except OSError as fault:
            if fault.errno not in (errno.ELOOP, errno.ENOTDIR):
                raise OSError(fault.errno, fault.strerror, self.path)
            self._follow(name)
            return
        holder, found = os.fstat(self.handle), os.fstat(child)
        others = trust.can_rename(self.handle, holder, self.users)
        if not all(trust.controls(each, child, found) for each in others):
            os.close(child)
            raise Refusal(
                "%s of %s belongs to user %d, but %s can replace it"
                % (to_text(name), to_text(self.path), found.st_uid, trust.describe(others)),
                _remedy(others),
            )
        self._above.append([holder.st_dev, holder.st_ino])
        self._go(child)

    def _follow(self, name):
        found = os.stat(name, dir_fd=self.handle, follow_symlinks=False)
        if not stat.S_ISLNK(found.st_mode):
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), self.path)
        doubt = trust.distrust_reason(found, self.handle, self.users)
        if doubt:
            raise Refusal(
                "%s of %s is a symbolic link of %s; following it as user %d is not safe"
                % (to_text(name), to_text(self.path), doubt, os.geteuid()),
                "name the real path in the inventory",
            )
        self._links += 1
        if self._links > MAX_LINKS:
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), self.path)
        target = os.fsencode(os.readlink(name, dir_fd=self.handle))
        self._declared = min(self._declared, len(self.left) - 1)
        self.left[1:1] = [piece for piece in target.split(b"/") if piece]
        if target.startswith(b"/"):
            self._above = []
            self._go(os.open(b"/", DIRECTORY))

    def make(self, world_readable):
        """Create the next component with mode 0755 (less the umask, unless `world_readable`).

        In the folder of another user it becomes that user's, so that it is safe to enter. Targets of dangling links are
        not created: an unmounted disk must not be filled.
        """
        if len(self.left) > self._declared:
            raise FileNotFoundError(errno.ENOENT, "a symbolic link in the path is dangling", self.path)
        holder, name = os.fstat(self.handle), self.left[0]
        others = trust.can_rename(self.handle, holder, self.users)
        if others - {("user", holder.st_uid)} or (others and os.geteuid()):  # only root can change the owner
            raise Refusal(
                "%s of %s would be created in a folder where %s can rename it"
                % (to_text(name), to_text(self.path), trust.describe(others)),
                _remedy(others),
            )
        try:
            os.mkdir(name, 0o755, dir_fd=self.handle)
        except FileExistsError:
            return
        os.fsync(self.handle)
        made = os.open(name, DIRECTORY, dir_fd=self.handle)
        try:
            if not _is_new(made):
                return  # replaced by another process, which must not get our mode
            if world_readable:
                os.fchmod(made, 0o755)
            if others:
                os.fchown(made, holder.st_uid, holder.st_gid)
        finally:
            os.close(made)

    def _go(self, handle):
        os.close(self.handle)
        self.handle = handle

    def close(self):
        os.close(self.handle)


def _remedy(others):
    if any(what == "user" for what, _ in others):
        return "make root the owner of its parent folder, or sync as the user who owns it"
    return "remove write permission for others from its parent folder (chmod go-w), or set its sticky bit"


def _is_new(handle):
    """Return whether an open directory can be the one just created: it is ours and empty."""
    return os.fstat(handle).st_uid == os.geteuid() and not os.listdir(handle)


def open_directory(path):
    """Return a handle of an absolute path (bytes). Follows only links that root or this user created."""
    walk = PathWalk(path)
    try:
        while walk.left:
            walk.step()
        return walk.handle
    except BaseException:
        walk.close()
        raise


def make_directory(path, world_readable=False):
    """Like `open_directory`, but create missing parts, mode 0755 (less the umask, unless `world_readable`)."""
    walk = PathWalk(path)
    try:
        while walk.left:
            try:
                walk.step()
            except FileNotFoundError:
                walk.make(world_readable)
                walk.step()
        return walk.handle
    except BaseException:
        walk.close()
        raise


def check_root(handle, identity):
    """Return the handle if it is the observed [device, inode] (None: any). Raises Refusal."""
    found = root_identity(handle)
    if identity is not None and found != list(identity):
        os.close(handle)
        raise Refusal("the tree's root is no longer the directory that was observed", "run again to see what is there")
    return handle


def root_identity(handle):
    found = os.fstat(handle)
    return [found.st_dev, found.st_ino]


def checked_path(path):
    """Return a relative path as bytes. Raises Refusal if it could leave the tree."""
    raw = to_bytes(path) if isinstance(path, str) else path
    parts = raw.split(b"/")
    if not raw or b"\0" in raw or any(part in (b"", b".", b"..") for part in parts):
        raise Refusal("%r is not a path below a tree's root" % to_text(raw), "report this as a bug of MultiAll")
    return raw


class Tree(object):
    """A directory and everything below it, reached by handles.

    The directories of the last path stay open, so that a walk in order opens each once.
    """

    def __init__(self, handle):
        self.handle = handle
        self._chain = []

    def parent(self, path):
        """Return (handle of the parent directory, last component). The tree owns the handle: do not close it."""
        parts = path.split(b"/")
        above = parts[:-1]
        common = 0
        while common < min(len(above), len(self._chain)) and self._chain[common][0] == above[common]:
            common += 1
        self._drop(common)
        for part in above[common:]:
            handle = self._chain[-1][1] if self._chain else self.handle
            self._chain.append((part, os.open(part, DIRECTORY, dir_fd=handle)))
        return (self._chain[-1][1] if self._chain else self.handle), parts[-1]

    def make_parent(self, path):
        """Return the handle of the parent directory, like `parent`, and create missing ones for this user only."""
        at = 0
        while True:
            try:
                return self.parent(path)[0]
            except FileNotFoundError:
                at = self._make_next(path, at)

    def _make_next(self, path, at):
        """Create the first missing directory above `path`; return how many exist then."""
        parts = path.split(b"/")[:-1]
        while at < len(parts):
            at += 1
            holder, name = self.parent(b"/".join(parts[:at]))
            try:
                os.mkdir(name, 0o700, dir_fd=holder)
            except FileExistsError:
                continue
            return at
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)

    def forget(self):
        """Close the handles below the root, because directories were moved."""
        self._drop(0)

    def _drop(self, keep):
        for _, handle in self._chain[keep:]:
            os.close(handle)
        del self._chain[keep:]

    def open_file(self, path):
        """Return a read handle of a regular file. Does not block on a FIFO and follows no link."""
        parent, name = self.parent(path)
        handle = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=parent)
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            os.close(handle)
            raise OSError(errno.EINVAL, "not a regular file", path)
        return handle

    def close(self):
        self._drop(0)
        os.close(self.handle)
