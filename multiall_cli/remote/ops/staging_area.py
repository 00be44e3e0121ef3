"""The folder beside a tree where new files are assembled and deleted ones are kept for some days.

It is in the parent folder of the tree, on the same file system, so that files are installed by rename; if that is not
possible, inside the tree. Its name begins with `.multiall-`, which no scan reports. Only its owner may enter.
"""

import errno
import fcntl
import json
import os
import stat
import time

from multiall_cli.remote.ops import trust
from multiall_cli.remote.ops.dirfd import DIRECTORY, STAGING_PREFIX, open_directory, to_text
from multiall_cli.remote.refusal import Refusal

STAGE, TRASH, REPLACED = b"stage", b"trash", b"replaced"
TREE = b"tree"  # mark: the root of the tree that owns the folder
RUN = b"run"  # mark: the last run that changed the tree
DAY = 86400.0
MAX_MARK = 1 << 12  # bytes
LOCK_INTERVAL = 0.05  # seconds between two attempts to lock, because flock has no timeout


def _open_own_folder(parent, name, path):
    """Return a handle of our own folder, which is created if missing. Raises Refusal if it belongs to another user."""
    try:
        os.mkdir(name, 0o700, dir_fd=parent)
    except FileExistsError:
        pass
    try:
        handle = os.open(name, DIRECTORY, dir_fd=parent)
    except OSError as fault:
        if fault.errno not in (errno.ENOTDIR, errno.ELOOP):
            raise
        raise Refusal("%s is not a directory, so it is not a staging folder" % to_text(path), "remove or rename it")
    found = os.fstat(handle)
    if found.st_uid != os.geteuid() or found.st_mode & 0o077:
        os.close(handle)
        raise Refusal(
            "%s belongs to user %d with mode %o, so it is not this user's staging folder"
            % (to_text(path), found.st_uid, stat.S_IMODE(found.st_mode)),
            "remove or rename it",
        )
    return handle


def _write_mark(folder, name, text):
    """Create a symbolic link with this text, or a file on file systems without links. Raises FileExistsError."""
    try:
        os.symlink(text, name, dir_fd=folder)
    except OSError as fault:
        if fault.errno not in (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS):
            raise
        mark = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600, dir_fd=folder)
        try:
            os.write(mark, text)
        finally:
            os.close(mark)


def _read_mark(folder, name):
    """Return the text of a mark. Raises FileNotFoundError, OSError."""
    try:
        return os.readlink(name, dir_fd=folder)
    except OSError as fault:
        if fault.errno != errno.EINVAL:
            raise
    mark = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
    try:
        return os.read(mark, MAX_MARK)
    finally:
        os.close(mark)


def _claim(parent, handle, root, path):
    """Mark the folder as this tree's. Other users who can rename it could swap in the folder of another tree."""
    try:
        is_ours = _read_mark(handle, TREE) == root
    except FileNotFoundError:
        is_ours = not os.listdir(handle)
    if not is_ours and trust.can_rename(parent, os.fstat(parent), trust.trusted_users()):
        what = "%s is not the staging folder of %s, and others can rename what lies beside it"
        raise Refusal(what % (to_text(path), to_text(root)), "remove or rename it")
    try:
        _write_mark(handle, TREE, root)
    except FileExistsError:
        return  # ours, or of a tree that a trusted user renamed


def _locate(root, handle):
    """Return (parent handle, name, path) of the staging area of the tree at `root`, whose handle is given."""
    name = STAGING_PREFIX + os.path.basename(root)
    try:
        parent, _, path = _beside(root)
    except OSError:
        return os.dup(handle), name, os.path.join(root, name)
    same_system = os.fstat(parent).st_dev == os.fstat(handle).st_dev
    if same_system and os.access(b".", os.W_OK, dir_fd=parent):
        return parent, name, path
    os.close(parent)
    return os.dup(handle), name, os.path.join(root, name)


def _beside(root):
    above, name = os.path.dirname(root), STAGING_PREFIX + os.path.basename(root)
    return open_directory(above), name, os.path.join(above, name)


def is_staging_area(parent, name):
    """Return whether a name that begins with our prefix is a staging area, of this or of an unreadable user."""
    found = os.stat(name, dir_fd=parent, follow_symlinks=False)
    if not stat.S_ISDIR(found.st_mode) or found.st_mode & 0o077:
        return False
    if os.geteuid() not in (0, found.st_uid):
        return True
    try:
        mark = os.stat(os.path.join(name, TREE), dir_fd=parent, follow_symlinks=False)
    except OSError:
        return False
    return not stat.S_ISDIR(mark.st_mode)


def last_run(root, handle):
    """Return the note of the last run that changed the tree, {"run", "by", "since"}; {} without one.

    `handle` None: the root is missing; the note about the former tree counts.
    """
    try:
        parent, name, _ = _locate(root, handle) if handle is not None else _beside(root)
    except OSError:
        return {}
    try:
        folder = os.open(name, DIRECTORY, dir_fd=parent)
    except OSError:
        return {}
    finally:
        os.close(parent)
    try:
        return _read_run_note(folder) if os.fstat(folder).st_uid == os.geteuid() else {}
    finally:
        os.close(folder)


def _read_run_note(folder):
    try:
        noted = json.loads(os.fsdecode(_read_mark(folder, RUN)))
    except (OSError, ValueError):
        return {}
    return noted if isinstance(noted, dict) else {}


def check_run(root, handle, run):
    """Raise Refusal if a run other than `run` was the last to change the tree."""
    _check_run_note(last_run(root, handle), run, root)


def _check_run_note(noted, run, root):
    if noted and noted.get("run") != run:
        raise overtaken_by(root, noted)


def overtaken_by(root, noted):
    """Return the Refusal that names the other run."""
    since = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(noted.get("since") or 0))
    what = "another run is changing %s, or has changed it since it was observed: %s by %s, started %s" % (
        to_text(root),
        noted.get("run", "a run"),
        noted.get("by", "an unknown admin host"),
        since,
    )
    return Refusal(what, "wait for it, then run again", "overtaken")


def remove_below(handle):
    """Delete everything below an open directory, at any depth."""
    levels = [(handle, None)]
    try:
        while levels:
            below = _unlink_files(levels[-1][0])
            if below is not None:
                levels.append((os.open(below, DIRECTORY, dir_fd=levels[-1][0]), below))
                continue
            done, name = levels.pop()
            if name is not None:
                os.close(done)
                os.rmdir(name, dir_fd=levels[-1][0])
    finally:
        for opened, _ in levels[1:]:
            os.close(opened)


def _unlink_files(handle):
    """Delete all files; return the name of one remaining directory, or None."""
    left = None
    for name in os.listdir(handle):
        name = os.fsencode(name)
        if stat.S_ISDIR(os.stat(name, dir_fd=handle, follow_symlinks=False).st_mode):
            left = name
        else:
            os.unlink(name, dir_fd=handle)
    return left


class StagingArea(object):
    """An open and locked staging area; one run at a time."""

    def __init__(self, request, root, handle, last=None):
        """`last`: the last run when the tree was observed; None: other runs do not matter."""
        self._root = root
        self._parent, self._name, path = _locate(root, handle)
        try:
            self.handle = self._lock_folder(request, path, last)
        except BaseException:
            os.close(self._parent)
            raise
        try:
            self.check(last)
            self.stage = _open_own_folder(self.handle, STAGE, os.path.join(path, STAGE))
        except BaseException:
            os.close(self.handle)
            os.close(self._parent)
            raise

    def _lock_folder(self, request, path, last):
        """Wait for the lock as long as a run whose connection was lost may wait for its admin host."""
        deadline = time.monotonic() + request.patience
        while True:
            handle = _open_own_folder(self._parent, self._name, path)
            try:
                _claim(self._parent, handle, self._root, path)
                if last is not None:
                    _check_run_note(_read_run_note(handle), last, self._root)
                while not self._try_lock(handle):
                    if time.monotonic() > deadline:
                        raise overtaken_by(self._root, _read_run_note(handle))
                    time.sleep(LOCK_INTERVAL)
                    request.heartbeat()
                if os.fstat(handle).st_nlink:  # else the last holder removed it; create it again
                    return handle
            except BaseException:
                os.close(handle)
                raise
            os.close(handle)

    @staticmethod
    def _try_lock(handle):
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as fault:
            if fault.errno not in (errno.EAGAIN, errno.EACCES):
                raise
            return False
        return True

    def check(self, last):
        """Raise Refusal if a run other than `last` was the last to change the tree (None: any may have been)."""
        if last is not None:
            _check_run_note(_read_run_note(self.handle), last, self._root)

    def write_run_note(self, run, by):
        """Note that this run changes the tree: earlier observations are no longer valid."""
        text = json.dumps({"run": run, "by": by, "since": time.time()})
        new = RUN + b".new"
        for _ in range(2):
            try:
                _write_mark(self.handle, new, text.encode("ascii"))
                break
            except FileExistsError:
                os.unlink(new, dir_fd=self.handle)
        os.replace(new, RUN, src_dir_fd=self.handle, dst_dir_fd=self.handle)

    def staged(self):
        """Return the finished files of an interrupted run, and remove its partial ones."""
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

    def trash_folder(self, run):
        """Return a handle of the folder for files that this run deletes."""
        return self._run_folder(TRASH, run)

    def replaced_folder(self, run):
        """Return a handle of the folder for files that this run replaces. It is kept until the next run."""
        return self._run_folder(REPLACED, run)

    def _run_folder(self, kind, run):
        folder = _open_own_folder(self.handle, kind, kind)
        try:
            return _open_own_folder(folder, run, run)
        finally:
            os.close(folder)

    def empty_trash(self, days):
        """Remove files that were deleted more than `days` ago, and files that earlier runs replaced."""
        self._purge(TRASH, time.time() - days * DAY)
        self._purge(REPLACED, float("inf"))

    def _purge(self, kind, until):
        try:
            folder = os.open(kind, DIRECTORY, dir_fd=self.handle)
        except FileNotFoundError:
            return
        try:
            for name in os.listdir(folder):
                if os.stat(name, dir_fd=folder, follow_symlinks=False).st_mtime < until:
                    below = os.open(name, DIRECTORY, dir_fd=folder)
                    try:
                        remove_below(below)
                    finally:
                        os.close(below)
                    os.rmdir(name, dir_fd=folder)
        finally:
            os.close(folder)

    def remove_empty_trash(self, run):
        """Remove the trash folder of this run if it is empty. Files that others put there stay."""
        try:
            folder = os.open(TRASH, DIRECTORY, dir_fd=self.handle)
        except FileNotFoundError:
            return
        try:
            self._remove(run, folder)
        finally:
            os.close(folder)

    def close(self):
        """Close and unlock. An area that is not needed any more is removed."""
        os.close(self.stage)
        for name in (STAGE, TRASH, REPLACED):
            self._remove(name, self.handle)
        if os.listdir(self.handle) == [os.fsdecode(TREE)]:
            os.unlink(TREE, dir_fd=self.handle)
            self._remove(self._name, self._parent)
        os.close(self.handle)
        os.close(self._parent)

    @staticmethod
    def _remove(name, parent):
        try:
            os.rmdir(name, dir_fd=parent)
        except OSError:
            return  # not empty, or never created
