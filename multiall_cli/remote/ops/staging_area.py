"""The folder beside a tree in which new files are put together and deleted ones are kept for a while.

It lies in the tree's parent, on the same file system, so that a rename is all that is left to do; where that
cannot be, inside the tree. Its name begins with `.multiall-`, so no scan sees it; only its owner may enter.
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
TREE = b"tree"  # a mark whose text is the root of the tree that the folder belongs to
RUN = b"run"  # a mark whose text says which run was the last to change the tree
DAY = 86400.0
MAX_MARK = 1 << 12  # bytes
LOCK_INTERVAL = 0.05  # seconds between two tries to lock; flock has no wait with a limit


def _open_own_folder(parent, name, path):
    """A handle of our own folder; made where it is missing. Refusal where it is someone else's."""
    try:
        os.mkdir(name, 0o700, dir_fd=parent)
    except FileExistsError:
        pass
    try:
        handle = os.open(name, DIRECTORY, dir_fd=parent)
    except OSError as fault:
        if fault.errno not in (errno.ENOTDIR, errno.ELOOP):
            raise
        raise Refusal("%s is no directory, so it is not ours" % to_text(path), "remove or rename it")
    found = os.fstat(handle)
    if found.st_uid != os.geteuid() or found.st_mode & 0o077:
        os.close(handle)
        raise Refusal(
            "%s belongs to user %d with mode %o, so it is not ours"
            % (to_text(path), found.st_uid, stat.S_IMODE(found.st_mode)),
            "remove or rename it",
        )
    return handle


def _write_mark(folder, name, text):
    """A link with this text; a file where the file system has no links (FAT). FileExistsError where it is there."""
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
    """The text of a mark. Errors: OSError, FileNotFoundError where there is none."""
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
    """Mark the folder as this tree's. Where strangers can rename it, they could hand us another tree's."""
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
        return  # our own, or that of a tree which was renamed by whom we trust


def _locate(root, handle):
    """(parent handle, name, path) of the workshop of the tree at `root`, whose handle is given."""
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
    """Whether a name that begins as ours do is a staging folder of ours, or of a user into whose we cannot look."""
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
    """What is noted of the last run that changed the tree: {"run", "by", "since"}; {} where nothing is.

    `handle` None: the root is missing; what is noted of the tree that was there counts.
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
    """Refusal where another run has changed the tree since `run` began to."""
    _check_run_note(last_run(root, handle), run, root)


def _check_run_note(noted, run, root):
    if noted and noted.get("run") != run:
        raise overtaken_by(root, noted)


def overtaken_by(root, noted):
    """The Refusal that names the run which has the tree, or had it meanwhile."""
    since = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(noted.get("since") or 0))
    what = "another run is changing %s, or did so since it was observed: %s of %s, begun %s" % (
        to_text(root),
        noted.get("run", "a run"),
        noted.get("by", "an admin host unknown"),
        since,
    )
    return Refusal(what, "wait for it, then run again", "overtaken")


def remove_below(handle):
    """Delete all that lies below an open directory, however deep."""
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
    """Delete what is no directory; the name of a directory that is left, or None."""
    left = None
    for name in os.listdir(handle):
        name = os.fsencode(name)
        if stat.S_ISDIR(os.stat(name, dir_fd=handle, follow_symlinks=False).st_mode):
            left = name
        else:
            os.unlink(name, dir_fd=handle)
    return left


class StagingArea(object):
    """Open, locked, with its staging folder; one run at a time."""

    def __init__(self, request, root, handle, last=None):
        """`last`: the run that was the last to change the tree when it was observed (None: any may have since)."""
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
        """Waits as long as an earlier run of ours, whose link was lost, may go on waiting for the admin."""
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
                if os.fstat(handle).st_nlink:  # else whoever held it removed it: then it is made anew
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
        """Refusal where another run than `last` was the last to change the tree (None: any may have been)."""
        if last is not None:
            _check_run_note(_read_run_note(self.handle), last, self._root)

    def write_run_note(self, run, by):
        """From here on, whoever observed the tree before must observe it again."""
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

    def trash_folder(self, run):
        """A handle of the folder that keeps what this run deletes."""
        return self._run_folder(TRASH, run)

    def replaced_folder(self, run):
        """A handle of the folder that keeps what this run replaces, until the next one."""
        return self._run_folder(REPLACED, run)

    def _run_folder(self, kind, run):
        folder = _open_own_folder(self.handle, kind, kind)
        try:
            return _open_own_folder(folder, run, run)
        finally:
            os.close(folder)

    def empty_trash(self, days):
        """Remove what was deleted more than `days` ago, and what earlier runs replaced."""
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
        """Remove this run's folder of deleted files, if none is left in it: what others put there meanwhile stays."""
        try:
            folder = os.open(TRASH, DIRECTORY, dir_fd=self.handle)
        except FileNotFoundError:
            return
        try:
            self._remove(run, folder)
        finally:
            os.close(folder)

    def close(self):
        """Let go; a workshop of which nothing is needed any more goes away."""
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
            return  # it is not empty, or was never made: then it stays as it is
