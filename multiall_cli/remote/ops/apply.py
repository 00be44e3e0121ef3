"""Changes a tree: everything new is made aside and made durable first, then each path changes by one rename.

Just before that, what is replaced must still be what was observed; else it is left alone and told as a conflict.
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
LINK_TARGET_MISSING = "the file that it is another name of was not put in its place; see there"
VANISHED = "it vanished, or the directory that it belongs in did"


class TreeUpdate(object):
    """One apply of one tree: staged files by the change's index, and how each change came out."""

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
        self._failed_paths = set()  # paths whose change did not come out
        self._written = {}  # change's index → identity
        self._retained = RetainedFiles(self.area, run, trash > 0, trash > 0 and alone)
        self._touched = {}  # directory in which something changed → its inode
        self._created = {}  # directory that is new → its inode
        self._updated = {}  # inode → its identity once we dressed it: all its other names show the new times too

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
                self.area.empty_stage()  # our half-made files must not keep the disk full
            raise
        finally:
            if part is not None:
                part.close()

    def _start(self, change):
        """Begin a change; the Part that takes its blocks, or None where none come."""
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
            self.report(change, "conflict", "what it builds on vanished")
        return None

    def _inherit(self, change):
        """A file that is replaced keeps its owner and group where none are declared."""
        if change["expect"]["kind"] not in ("file", "link", "hardlink"):
            return
        try:
            parent, name = self.tree.parent(checked_path(change["path"]))
            inherit_owner(change, lstat(parent, name))
        except (FileNotFoundError, NotADirectoryError):
            return  # the check before its turn will say so

    def _finish(self, part):
        if part is None:
            return
        try:
            self.staged[part.change["index"]] = part.finish()
        except Stale:
            self.report(part.change, "conflict", "its content changed while it was read")
        finally:
            part.close()  # also where it fails: an open half-made file would go on taking room

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
            self.report(change, "done", "")  # what has no outcome yet: directories, which are done when settled

    def report(self, change, result, detail, written=None):
        """The outcome of a change: exactly one. Kept until the whole payload has come (see loop).

        `written`: the identity of a file that was put in its place, whose content was checked on its way.
        """
        if change["index"] not in self._reported:
            self._reported.add(change["index"])
            if result != "done":
                self._failed_paths.add(change["path"])
            self.outcomes.append(json.dumps([change["index"], result, detail, written]).encode("ascii") + b"\n")

    def _describe_obstacle(self, change):
        """What is there where nothing was observed."""
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
            if change["kind"] != "directory":  # those are dressed last, when nothing more is put into them
                self._set_attributes(change, parent, name)
        else:
            self._install(change, path, parent, name, old)

    def _check(self, change, parent, name):
        """The stat of what is replaced, None for nothing. Stale where that is not what was observed, our own doings
        apart."""
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
        if expected["linked"]:  # what is done to one name of a file shows in the change time of all its names
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
                raise Stale()  # someone put another in its place: it must not get our owner and mode
            self._created[path] = found.st_ino
        finally:
            os.close(handle)

    def _note_written(self, change, made, parent, name):
        """The identity of what is in its place now, if that is what we made: someone may have been there since."""
        try:
            found = os.stat(name, dir_fd=parent, follow_symlinks=False)
        except OSError:
            return
        if (found.st_ino, found.st_size, found.st_mtime_ns) == (made.st_ino, made.st_size, made.st_mtime_ns):
            self._written[change["index"]] = identity_of(found)

    def _make_link(self, change, path, parent, name, old):
        """A symbolic link: made in the stage under a name of its own, then put in its place."""
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
        """Another name of a file of the tree; where something is replaced, made aside first."""
        if change["target"] in self._failed_paths:
            raise Stale(LINK_TARGET_MISSING)  # what is there is someone else's
        source = Tree(os.dup(self.tree.handle))  # its own chain: ours holds the link's directory open
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
        """New attributes in place: only for a file of which no one else can have a name."""
        handle = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=parent)
        try:
            found = os.fstat(handle)
            if found.st_ino != change["expect"]["identity"][3]:
                raise Stale()  # swapped since it was checked: someone else's file must not get our owner and mode
            if found.st_nlink > 1 and not change["expect"]["linked"]:
                raise Stale("it has got another name since it was observed")
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
        """Modes and times of directories, deepest first: only now nothing more is put into them."""
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
                self._report_directory_error(change, fault)  # no news where it could not be made: that has its outcome
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
        """A handle of the tree's root (path b"") or of a directory below it, which must be the one that we know."""
        if path == b"":
            return os.dup(self.tree.handle)
        parent, name = self.tree.parent(checked_path(path))
        handle = os.open(name, DIRECTORY, dir_fd=parent)
        if inode is not None and os.fstat(handle).st_ino != inode:
            os.close(handle)
            raise Stale()
        return handle

    def _report_directory_error(self, change, fault):
        """Told where the directory itself was to change; a time that only follows what is in it may stay."""
        if change.get("index") is not None:
            self.report(change, "failed", os.strerror(fault.errno or errno.EIO))

    def _sync_directories(self):
        """The directories that changed, so that the renames survive a power cut."""
        for path in self._touched:
            try:
                handle = self._open_directory(path)
            except OSError:
                continue  # it was deleted after all
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
    """Make the changes of the payload; a line of JSON per change: [index, done | failed | conflict, detail, identity].

    The payload: for each change CHANGE + JSON, then the pieces of its content as `read` gives them; at the end
    SETTLE + JSON, the directories whose mode or time is set last. `run` names the trash; `trash` is in days.
    `identity`: the root's, as `prepare` told it; `alone`: Refusal where another run than this one prepared since, and
    what is replaced is kept.
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
