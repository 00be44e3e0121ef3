"""Directories by handle: every component is opened without following links, so no one can redirect us meanwhile."""

import errno
import os
import pwd
import stat

from multiall_cli.remote.loop import Refusal

DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
WORKSHOP = b".multiall-"  # names that begin so are ours: staging and trash; no scan ever sees them
MOST_LINKS = 40


def to_bytes(path):
    return path.encode("utf-8", "surrogateescape")


def to_text(path):
    return path.decode("utf-8", "surrogateescape")


def home():
    """The home of the user that we run as."""
    return os.environ.get("HOME") or pwd.getpwuid(os.geteuid()).pw_dir


def absolute(path):
    """The declared path as bytes, `~/` resolved."""
    if path == "~" or path.startswith("~/"):
        return os.path.join(os.fsencode(home()), to_bytes(path[2:])).rstrip(b"/")
    return to_bytes(path)


def _trusted(link):
    """Whether a link above the tree may be followed: root's, or our own."""
    return link.st_uid in (0, os.geteuid())


def _step(parent, name, path):
    """Open one component; a trusted link gives its target instead: (handle, None) or (None, target)."""
    try:
        return os.open(name, DIRECTORY, dir_fd=parent), None
    except OSError as fault:
        if fault.errno not in (errno.ELOOP, errno.ENOTDIR):
            raise OSError(fault.errno, fault.strerror, path) from None
    found = os.stat(name, dir_fd=parent, follow_symlinks=False)
    if not stat.S_ISLNK(found.st_mode):
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), path)
    if not _trusted(found):
        raise Refusal(
            "%s is a symbolic link of user %d; following it as user %d is not safe"
            % (to_text(path), found.st_uid, os.geteuid()),
            "name the real path in the inventory",
        )
    return None, os.readlink(name, dir_fd=parent)


def open_directory(path):
    """A handle of an absolute path (bytes). Links on the way are followed only where root or we made them."""
    left = [part for part in path.split(b"/") if part]
    handle = os.open(b"/", DIRECTORY)
    links = 0
    try:
        while left:
            part = left.pop(0)
            if part == b".":
                continue
            step, target = _step(handle, part, path)
            if target is None:
                os.close(handle)
                handle = step
                continue
            links += 1
            if links > MOST_LINKS:
                raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)
            left = [piece for piece in os.fsencode(target).split(b"/") if piece] + left
            if os.fsencode(target).startswith(b"/"):
                os.close(handle)
                handle = os.open(b"/", DIRECTORY)
        return handle
    except BaseException:
        os.close(handle)
        raise


def make_directory(path, for_all=False):
    """A handle of an absolute path; what is missing of it is made, mode 0755, less the umask if not `for_all`."""
    try:
        return open_directory(path)
    except FileNotFoundError:
        parent = make_directory(os.path.dirname(path), for_all)
    name, made = os.path.basename(path), True
    try:
        try:
            os.mkdir(name, 0o755, dir_fd=parent)
        except FileExistsError:
            made = False
        os.fsync(parent)
        handle = os.open(name, DIRECTORY, dir_fd=parent)
        if made and for_all:
            os.fchmod(handle, 0o755)
        return handle
    finally:
        os.close(parent)


def proper(path):
    """The relative path as bytes; Refusal where it could leave the tree."""
    raw = to_bytes(path) if isinstance(path, str) else path
    parts = raw.split(b"/")
    if not raw or b"\0" in raw or any(part in (b"", b".", b"..") for part in parts):
        raise Refusal("%r is not a path below a tree's root" % to_text(raw), "this is a fault of the admin's side")
    return raw


class Tree(object):
    """A directory and what lies below it, reached by handles only.

    The handles of the last path's directories stay open, so that going through a tree in order opens each once.
    """

    def __init__(self, handle):
        self.handle = handle
        self._chain = []

    def parent(self, path):
        """(handle of the directory that holds `path`, last component). The handle is the tree's: do not close it."""
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

    def forget(self):
        """Close what is open below the root: directories were moved."""
        self._drop(0)

    def _drop(self, keep):
        for _, handle in self._chain[keep:]:
            os.close(handle)
        del self._chain[keep:]

    def open_file(self, path):
        """A read handle of a regular file. Never waits on a fifo, never follows a link."""
        parent, name = self.parent(path)
        handle = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=parent)
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            os.close(handle)
            raise OSError(errno.EINVAL, "not a regular file", path)
        return handle

    def close(self):
        self._drop(0)
        os.close(self.handle)
