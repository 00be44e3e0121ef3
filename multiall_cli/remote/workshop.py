"""The folder beside a tree in which new files are put together and deleted ones are kept for a while.

It lies in the tree's parent, on the same file system, so that a rename is all that is left to do; where that
cannot be, inside the tree. Its name begins with `.multiall-`, so no scan sees it; only its owner may enter.
"""

import errno
import fcntl
import os
import stat
import time

from multiall_cli.remote.handles import DIRECTORY, WORKSHOP, open_directory, to_text
from multiall_cli.remote.loop import Refusal

STAGE, TRASH = b"stage", b"trash"
DAY = 86400.0
ASK_AGAIN = 0.05  # seconds between two tries to lock; flock has no wait with a limit


def _enter(parent, name, path):
    """A handle of our own folder; made where it is missing. Refusal where it is someone else's."""
    try:
        os.mkdir(name, 0o700, dir_fd=parent)
    except FileExistsError:
        pass
    handle = os.open(name, DIRECTORY, dir_fd=parent)
    found = os.fstat(handle)
    if found.st_uid != os.geteuid() or found.st_mode & 0o077:
        os.close(handle)
        raise Refusal(
            "%s belongs to user %d with mode %o, so it is not ours"
            % (to_text(path), found.st_uid, stat.S_IMODE(found.st_mode)),
            "remove or rename it",
        )
    return handle


def _folder(root, handle):
    """(parent handle, name, path) of the workshop of the tree at `root`, whose handle is given."""
    above, name = os.path.dirname(root), WORKSHOP + os.path.basename(root)
    try:
        parent = open_directory(above)
    except OSError:
        return os.dup(handle), name, os.path.join(root, name)
    same_system = os.fstat(parent).st_dev == os.fstat(handle).st_dev
    if same_system and os.access(b".", os.W_OK, dir_fd=parent):
        return parent, name, os.path.join(above, name)
    os.close(parent)
    return os.dup(handle), name, os.path.join(root, name)


def remove_below(handle):
    """Delete all that lies below an open directory."""
    for name in os.listdir(handle):
        name = os.fsencode(name)
        if stat.S_ISDIR(os.stat(name, dir_fd=handle, follow_symlinks=False).st_mode):
            below = os.open(name, DIRECTORY, dir_fd=handle)
            try:
                remove_below(below)
            finally:
                os.close(below)
            os.rmdir(name, dir_fd=handle)
        else:
            os.unlink(name, dir_fd=handle)


class Workshop(object):
    """Open, locked, with its staging folder; one run at a time."""

    def __init__(self, exchange, root, handle):
        self._parent, self._name, path = _folder(root, handle)
        try:
            self.handle = _enter(self._parent, self._name, path)
        except BaseException:
            os.close(self._parent)
            raise
        try:
            self._lock(exchange, path)
            self.stage = _enter(self.handle, STAGE, os.path.join(path, STAGE))
        except BaseException:
            os.close(self.handle)
            os.close(self._parent)
            raise

    def _lock(self, exchange, path):
        """Waits as long as an earlier run of ours, whose link was lost, may go on waiting for the admin."""
        deadline = time.monotonic() + exchange.patience
        while not self._locked():
            if time.monotonic() > deadline:
                what = "another run is changing this tree, for more than %g s now (%s is locked)"
                raise Refusal(what % (exchange.patience, to_text(path)), "wait for it, run again")
            time.sleep(ASK_AGAIN)
            exchange.beat()

    def _locked(self):
        try:
            fcntl.flock(self.handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as fault:
            if fault.errno not in (errno.EAGAIN, errno.EACCES):
                raise
            return False
        return True

    def staged(self):
        """The names of the finished files that an interrupted run left; half-made ones are removed."""
        finished = []
        for name in os.listdir(self.stage):
            name = os.fsencode(name)
            if name.startswith(b"part-"):
                os.unlink(name, dir_fd=self.stage)
            else:
                finished.append(name)
        return finished

    def empty_stage(self):
        remove_below(self.stage)

    def trash(self, run):
        """A handle of the folder that keeps what this run deletes."""
        trash = _enter(self.handle, TRASH, TRASH)
        try:
            return _enter(trash, run, run)
        finally:
            os.close(trash)

    def empty_trash(self, days):
        """Remove what was deleted more than `days` ago."""
        try:
            trash = os.open(TRASH, DIRECTORY, dir_fd=self.handle)
        except FileNotFoundError:
            return
        try:
            for name in os.listdir(trash):
                if os.stat(name, dir_fd=trash, follow_symlinks=False).st_mtime < time.time() - days * DAY:
                    below = os.open(name, DIRECTORY, dir_fd=trash)
                    try:
                        remove_below(below)
                    finally:
                        os.close(below)
                    os.rmdir(name, dir_fd=trash)
        finally:
            os.close(trash)

    def close(self):
        """Let go; an empty workshop goes away."""
        os.close(self.stage)
        for parent, name in ((self.handle, STAGE), (self.handle, TRASH), (self._parent, self._name)):
            try:
                os.rmdir(name, dir_fd=parent)
            except OSError:
                continue  # it is not empty, or was never made: then it stays as it is
        os.close(self.handle)
        os.close(self._parent)
