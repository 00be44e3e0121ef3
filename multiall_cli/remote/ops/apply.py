"""Changes a tree: stages all new content, makes it durable, then changes each path by one rename.

Just before the rename, the entry that is replaced must still be the observed one. If not, it is left alone and
reported as a conflict.
"""

import errno
import json
import os
import stat

from multiall_cli.remote.formats.transfer import CHANGE, SETTLE, unpack_piece
from multiall_cli.remote.ops import staging
from multiall_cli.remote.ops.atomic_rename import install, lstat, temporary_name, unlink_if_present
from multiall_cli.remote.ops.content import identity_of
from multiall_cli.remote.ops.dirfd import (
    DIRECTORY,
    Tree,
    absolute_path,
    check_root,
    checked_path,
    open_directory,
    to_bytes,
)
from multiall_cli.remote.ops.retention import RetainedFiles
from multiall_cli.remote.ops.scan import SPECIAL
from multiall_cli.remote.ops.staging import (
    PartialFile,
    Stale,
    inherit_owner,
    owner_ids,
    reuse_staged,
    set_attributes,
    sync_files,
    without_inherited,
)
from multiall_cli.remote.ops.staging_area import StagingArea

CHANGED = "it is no longer what was observed"
LINK_TARGET_MISSING = "the file that it is a hard link to was not installed; see that file"
VANISHED = "it vanished, or its directory did"


class TreeUpdate(object):
    """One apply to one tree: staged files by index of the change, and the outcome of each change."""

    def __init__(self, request, root, trash, run, identity, alone):
        self.request = request
        path = absolute_path(root)
        self.tree = Tree(check_root(open_directory(path), identity))
        try:
            self.area = StagingArea(request, path, self.tree.handle, run if alone else None)
        except BaseException:
            self.tree.close()
            raise
        self.changes, self.staged, self.directories, self.outcomes = [], {}, [], []
        self._reported = set()
        self._failed_paths = set()  # paths whose change failed
        self._written = {}  # change's index → identity
        self._retained = RetainedFiles(self.area, run, trash > 0, trash > 0 and alone)
        self._touched = {}  # changed directory → its inode
        self._created = {}  # new directory → its inode
        self._updated = {}  # inode → identity after its attributes changed; its other names show the new times, too

    # --- first half: stage -------------------------------------------------------------------------------

    def stage(self):
        part = None
        try:
            for piece in self.request.payload():
                if piece[:1] == CHANGE:
                    self._finish(part)
                    part = self._start(json.loads(piece[1:].decode("ascii")))
                elif piece[:1] == SETTLE:
                    self.directories += json.loads(piece[1:].decode("ascii"))
                elif part is not None:
                    what, _, number, body = unpack_piece(piece)
                    part.block(what, number, body)
                self.request.heartbeat()
            self._finish(part)
            sync_files(self.area.stage, list(self.staged.values()))
        except OSError as fault:
            if fault.errno in (errno.ENOSPC, errno.EDQUOT):
                self.area.empty_stage()  # partial files must not keep the disk full
            raise
        finally:
            if part is not None:
                part.close()

    def _start(self, change):
        """Begin a change; return the PartialFile that takes its blocks, or None if it has none."""
        self.changes.append(change)
        if change["kind"] in ("file", "link") and change["action"] == "update" and not change.get("dress"):
            self._inherit(change)
        if change["kind"] != "file" or change["action"] == "delete" or change.get("dress"):
            return None
        try:
            if change.get("staged"):
                name = reuse_staged(self.area.stage, to_bytes(change["staged"]), change)
                if name is None:
                    raise Stale()
                self.staged[change["index"]] = name
                return None
            return PartialFile(self.area.stage, self.tree, change)
        except Stale:
            self.report(change, "conflict", CHANGED)
        except (FileNotFoundError, NotADirectoryError):
            self.report(change, "conflict", "the old file vanished")
        return None

    def _inherit(self, change):
        """Keep the owner and group of a replaced file unless they are declared."""
        if change["expect"]["kind"] not in ("file", "link", "hardlink"):
            return
        try:
            parent, name = self.tree.parent(checked_path(change["path"]))
            inherit_owner(change, lstat(parent, name))
        except (FileNotFoundError, NotADirectoryError):
            return  # reported when the change is committed

    def _finish(self, part):
        if part is None:
            return
        try:
            self.staged[part.change["index"]] = part.finish()
        except Stale:
            self.report(part.change, "conflict", "its content changed while it was read")
        finally:
            part.close()  # an open partial file would go on using space

    # --- second half: commit -----------------------------------------------------------------------------

    def commit(self):
        """Make each change that has no outcome yet. A path that fails does not stop the others."""
        staging.restrict_root(self.tree.handle, self.directories)
        for change in self.changes:
            if change["index"] in self._reported:
                continue
            try:
                self._commit_change(change)
                if change["kind"] != "directory" or change["action"] == "delete":
                    self.report(change, "done", "", self._written.get(change["index"]))
            except Stale as stale:
                self.report(change, "conflict", str(stale) or CHANGED)
            except FileExistsError:
                self.report(change, "conflict", self._describe_obstacle(change))
            except (FileNotFoundError, NotADirectoryError):
                self.report(change, "conflict", VANISHED)
            except OSError as fault:
                self.report(
                    change, "failed", ERROR_TEXTS.get(fault.errno or 0) or os.strerror(fault.errno or errno.EIO)
                )
            self.request.heartbeat()
        self._update_directories()
        self._sync_directories()
        for change in self.changes:
            self.report(change, "done", "")  # directories, which have no outcome yet

    def report(self, change, result, detail, written=None):
        """Record the one outcome of a change. It is sent after the whole payload has arrived.

        `written`: the identity of an installed file, whose content was verified on arrival.
        """
        if change["index"] not in self._reported:
            self._reported.add(change["index"])
            if result != "done":
                self._failed_paths.add(change["path"])
            self.outcomes.append(json.dumps([change["index"], result, detail, written]).encode("ascii") + b"\n")

    def _describe_obstacle(self, change):
        """Return what is at a path that was free when it was observed."""
        try:
            kind = stat.S_IFMT(lstat(*self.tree.parent(checked_path(change["path"]))).st_mode)
        except OSError:
            return "something was there"
        if kind in SPECIAL:
            return "a %s is in its place; remove it, or exclude it" % SPECIAL[kind]
        return "something is there now"

    def _commit_change(self, change):
        path = checked_path(change["path"])
        parent, name = self.tree.parent(path)
        old = self._check(change, parent, name)
        above = os.path.dirname(path)
        if above not in self._touched:
            self._touched[above] = os.fstat(parent).st_ino
        if change["action"] == "delete":
            self._delete(path, parent, name, old)
        elif change.get("dress"):
            if change["kind"] != "directory":  # directories come last, when nothing in them changes any more
                self._set_attributes(change, parent, name)
        else:
            self._install(change, path, parent, name, old)

    def _check(self, change, parent, name):
        """Return the stat of the entry to replace; None if the path is new.

        Raises Stale if it is not what was observed, apart from changes of this run.
        """
        expected = change.get("expect")
        if expected is None:
            return None
        try:
            found = lstat(parent, name)
        except FileNotFoundError:
            raise Stale("it vanished since it was observed")
        if not self._is_expected(expected, found, parent, name):
            raise Stale()
        return found

    def _is_expected(self, expected, found, parent, name):
        kind = expected["kind"]
        if kind == "directory":
            return stat.S_ISDIR(found.st_mode) and found.st_ino == expected["identity"][3]
        if kind == "link":
            return stat.S_ISLNK(found.st_mode) and os.readlink(name, dir_fd=parent) == to_bytes(expected["target"])
        now, then = identity_of(found), expected["identity"]
        then = self._updated.get(then[3]) or then
        if expected["linked"]:  # a change to one name changes the ctime of all names
            now, then = [now[0], now[1], now[3]], [then[0], then[1], then[3]]
        return stat.S_ISREG(found.st_mode) and now == then

    def _install(self, change, path, parent, name, old):
        if change["kind"] == "directory":
            self._install_directory(path, parent, name, old)
            return
        if old is not None and stat.S_ISDIR(old.st_mode):
            os.rmdir(name, dir_fd=parent)
            self.tree.forget()
            parent, name = self.tree.parent(path)
            old = None
        if change["kind"] == "file":
            staged = self.staged[change["index"]]
            made = lstat(self.area.stage, staged)
            self._retained.install(self.area.stage, staged, path, parent, name, old)
            self._note_written(change, made, parent, name)
        elif change["kind"] == "hardlink":
            self._hardlink(change, path, parent, name, old)
        else:
            self._make_link(change, path, parent, name, old)

    def _install_directory(self, path, parent, name, old):
        if old is not None:
            self._retained.move_aside(path, parent, name, old)
        os.mkdir(name, 0o700, dir_fd=parent)
        handle = os.open(name, DIRECTORY, dir_fd=parent)
        try:
            found = os.fstat(handle)
            if found.st_uid != os.geteuid() or os.listdir(handle):
                raise Stale()  # replaced by another process, which must not get our owner and mode
            self._created[path] = found.st_ino
        finally:
            os.close(handle)

    def _note_written(self, change, made, parent, name):
        """Record the identity of an installed file, unless another process has replaced it already."""
        try:
            found = os.stat(name, dir_fd=parent, follow_symlinks=False)
        except OSError:
            return
        if (found.st_ino, found.st_size, found.st_mtime_ns) == (made.st_ino, made.st_size, made.st_mtime_ns):
            self._written[change["index"]] = identity_of(found)

    def _make_link(self, change, path, parent, name, old):
        """Create a symbolic link in the stage and install it."""
        stage, aside = self.area.stage, b"part-link-%d" % change["index"]
        os.symlink(to_bytes(change["target"]), aside, dir_fd=stage)
        try:
            uid, gid = owner_ids(change.get("owner"), change.get("group"))
            if os.geteuid():
                uid, gid = without_inherited(change, uid, gid)
            if uid != -1 or gid != -1:
                os.chown(aside, uid, gid, dir_fd=stage, follow_symlinks=False)
            if change.get("mtime") is not None:
                os.utime(aside, ns=(change["mtime"], change["mtime"]), dir_fd=stage, follow_symlinks=False)
            self._retained.install(stage, aside, path, parent, name, old)
        except BaseException:
            unlink_if_present(stage, aside)
            raise

    def _hardlink(self, change, path, parent, name, old):
        """Create a hard link to a file of the tree; in the stage first, if it replaces an entry."""
        if change["target"] in self._failed_paths:
            raise Stale(LINK_TARGET_MISSING)  # the entry at that path is not ours
        source = Tree(os.dup(self.tree.handle))  # a separate tree: this one holds the directory of the link open
        try:
            keeper, named = source.parent(checked_path(change["target"]))
            if old is None:
                os.link(named, name, src_dir_fd=keeper, dst_dir_fd=parent, follow_symlinks=False)
                return
            folder, aside = self.area.stage, b"part-link-%d" % change["index"]
            try:
                os.link(named, aside, src_dir_fd=keeper, dst_dir_fd=folder, follow_symlinks=False)
            except OSError as fault:
                if fault.errno != errno.EXDEV:
                    raise
                folder, aside = parent, temporary_name(parent, name)
                os.link(named, aside, src_dir_fd=keeper, dst_dir_fd=folder, follow_symlinks=False)
            try:
                if folder == parent:
                    install(folder, aside, parent, name, old)
                else:
                    self._retained.install(folder, aside, path, parent, name, old)
            finally:
                unlink_if_present(folder, aside)
        finally:
            source.close()

    def _set_attributes(self, change, parent, name):
        """Set attributes in place, only on a file without other hard links."""
        handle = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=parent)
        try:
            found = os.fstat(handle)
            if found.st_ino != change["expect"]["identity"][3]:
                raise Stale()  # replaced since the check; another file must not get our owner and mode
            if found.st_nlink > 1 and not change["expect"]["linked"]:
                raise Stale("it has gained another hard link since it was observed")
            set_attributes(handle, change)
            found = os.fstat(handle)
            self._updated[found.st_ino] = identity_of(found)
        finally:
            os.close(handle)

    def _delete(self, path, parent, name, old):
        if stat.S_ISDIR(old.st_mode):
            os.rmdir(name, dir_fd=parent)
            self.tree.forget()
        else:
            self._retained.move_aside(path, parent, name, old)

    def _update_directories(self):
        """Set modes and times of directories, deepest first, after all other changes."""
        known = {
            to_bytes(each["path"]): each["expect"]["identity"][3] for each in self.changes if _is_attribute_change(each)
        }
        known.update(self._touched)
        known.update(self._created)
        for change in sorted(self.directories, key=lambda each: -each["path"].count("/")):
            path = to_bytes(change["path"])
            try:
                handle = self._open_directory(path, known.get(path))
            except OSError as fault:
                self._report_directory_error(change, fault)  # if it could not be created, that is its outcome already
                continue
            except Stale:
                if change.get("index") is not None:
                    self.report(change, "conflict", CHANGED)
                continue
            try:
                set_attributes(handle, change)
            except OSError as fault:
                self._report_directory_error(change, fault)
            finally:
                os.close(handle)

    def _open_directory(self, path, inode=None):
        """Return a handle of a directory of the tree (b"": the root). Raises Stale if its inode is another."""
        if path == b"":
            return os.dup(self.tree.handle)
        parent, name = self.tree.parent(checked_path(path))
        handle = os.open(name, DIRECTORY, dir_fd=parent)
        if inode is not None and os.fstat(handle).st_ino != inode:
            os.close(handle)
            raise Stale()
        return handle

    def _report_directory_error(self, change, fault):
        """Report a failure if the directory itself was to change. A time that only follows its content may stay."""
        if change.get("index") is not None:
            self.report(change, "failed", os.strerror(fault.errno or errno.EIO))

    def _sync_directories(self):
        """Sync the changed directories, so that the renames survive power loss."""
        for path in self._touched:
            try:
                handle = self._open_directory(path)
            except OSError:
                continue  # deleted meanwhile
            try:
                os.fsync(handle)
            finally:
                os.close(handle)

    def close(self):
        self._retained.close()
        self.area.close()
        self.tree.close()


def _is_attribute_change(change):
    return bool(change.get("dress")) and change["kind"] == "directory"


ERROR_TEXTS = {
    errno.ENOTEMPTY: "the directory holds entries that are excluded or special; move them, or exclude it",
    errno.EBUSY: "it is a mount point or in use; unmount it, or exclude it",
}


def apply(request, root, run, trash=7, identity=None, alone=True):
    """Make the changes of the payload. Send one line of JSON per change: [index, result, detail, identity].

    The result is done, failed or conflict. The payload has, for each change, CHANGE + JSON and the pieces of its
    content as `read_blocks` sends them; at the end SETTLE + JSON, the directories whose mode or time is set last.
    `run`: names the trash folder; `trash`: days to keep it; `identity`: the root's, as returned by `prepare`; `alone`:
    raise Refusal if another run has prepared since, and keep replaced files.
    """
    work = TreeUpdate(request, root, trash, run, identity, alone)
    try:
        work.stage()
        work.commit()
        work.area.empty_stage()
    finally:
        work.close()
    request.send(b"".join(work.outcomes))
    return {"changes": len(work.changes)}
