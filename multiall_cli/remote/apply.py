"""Changes a tree: everything new is made aside and made durable first, then each path changes by one rename.

Just before that, what is replaced must still be what was observed; else it is left alone and told as a conflict.
"""

import errno
import json
import os
import stat
import struct

from multiall_cli.remote import content
from multiall_cli.remote.content import identity
from multiall_cli.remote.handles import DIRECTORY, Tree, absolute, make_directory, proper, to_bytes
from multiall_cli.remote.place import discard, name_beside, rename_into
from multiall_cli.remote.staging import Part, Stale, adopt, dress, make_durable, owner_ids
from multiall_cli.remote.workshop import Workshop

CHANGE, SETTLE = b"C", b"T"  # what a piece of the payload is; a block's piece is one of `read`
CHANGED = "it is no longer what was observed"


def prepare(exchange, root, trash=7):
    """Make the root where it is missing; tell what is staged, and for each requested path its blocks' hashes."""
    wanted = content.requests(exchange)
    path = absolute(root)
    tree = Tree(make_directory(path))
    try:
        workshop = Workshop(exchange, path, tree.handle)
        try:
            workshop.empty_trash(trash)
            staged = sorted(name.decode("ascii", "replace") for name in workshop.staged())
            for below in wanted:
                hashes = content.hash_blocks(exchange, tree, proper(below))
                exchange.piece(struct.pack(">I", len(hashes) // content.BLOCK_HASH) + hashes)
        finally:
            workshop.close()
    finally:
        tree.close()
    return {"staged": staged}


class Applying(object):
    """One apply of one tree: staged files by the change's index, and how each change came out."""

    def __init__(self, exchange, root, trash, run):
        self.exchange = exchange
        self.path = absolute(root)
        self.tree = Tree(make_directory(self.path))
        self.workshop = Workshop(exchange, self.path, self.tree.handle)
        self.keeps_trash = trash > 0
        self.run = to_bytes(run)
        self.changes, self.staged, self.settled, self.outcomes = [], {}, [], []
        self._told = set()
        self._written = {}  # change's index → identity
        self._trash = None
        self._touched = set()
        self._dressed = {}  # inode → its identity once we dressed it: all its other names show the new times too

    # --- first half: stage -------------------------------------------------------------------------------

    def stage(self):
        part = None
        try:
            for piece in self.exchange.payload():
                if piece[:1] == CHANGE:
                    self._finish(part)
                    part = self._start(json.loads(piece[1:].decode("ascii")))
                elif piece[:1] == SETTLE:
                    self.settled += json.loads(piece[1:].decode("ascii"))
                elif part is not None:
                    what, _, number, body = content.unpack_piece(piece)
                    part.block(what, number, body)
                self.exchange.beat()
            self._finish(part)
            make_durable(self.workshop.stage, list(self.staged.values()))
        except OSError as fault:
            if fault.errno in (errno.ENOSPC, errno.EDQUOT):
                self.workshop.empty_stage()  # our half-made files must not keep the disk full
            raise
        finally:
            if part is not None:
                part.close()

    def _start(self, change):
        """Begin a change; the Part that takes its blocks, or None where none come."""
        self.changes.append(change)
        if change["kind"] != "file" or change["action"] == "delete" or change.get("dress"):
            return None
        try:
            if change.get("staged"):
                name = adopt(self.workshop.stage, to_bytes(change["staged"]), change)
                if name is None:
                    raise Stale()
                self.staged[change["index"]] = name
                return None
            return Part(self.workshop.stage, self.tree, change)
        except Stale:
            self.tell(change, "conflict", CHANGED)
        except (FileNotFoundError, NotADirectoryError):
            self.tell(change, "conflict", "what it builds on went away")
        return None

    def _finish(self, part):
        if part is None:
            return
        try:
            self.staged[part.change["index"]] = part.finish()
        except Stale:
            self.tell(part.change, "conflict", "its content changed while it was read")
        finally:
            part.close()  # also where it fails: an open half-made file would go on taking room

    # --- second half: commit -----------------------------------------------------------------------------

    def commit(self):
        """Make each change that has no outcome yet. A path that fails does not stop the others."""
        for change in self.changes:
            if change["index"] in self._told:
                continue
            try:
                self._one(change)
                if change["kind"] != "directory" or change["action"] == "delete":
                    self.tell(change, "done", "", self._written.get(change["index"]))
            except Stale:
                self.tell(change, "conflict", CHANGED)
            except FileExistsError:
                self.tell(change, "conflict", "something is there now")
            except (FileNotFoundError, NotADirectoryError):
                self.tell(change, "conflict", "it went away, or the directory that it belongs in did")
            except OSError as fault:
                self.tell(change, "failed", os.strerror(fault.errno or errno.EIO))
            self.exchange.beat()
        self._settle()
        self._make_durable()
        for change in self.changes:
            self.tell(change, "done", "")  # what has no outcome yet: directories, which are done when settled

    def tell(self, change, result, detail, written=None):
        """The outcome of a change: exactly one. Kept until the whole payload has come (see loop).

        `written`: the identity of a file that was put in its place, whose content was checked on its way.
        """
        if change["index"] not in self._told:
            self._told.add(change["index"])
            self.outcomes.append(json.dumps([change["index"], result, detail, written]).encode("ascii") + b"\n")

    def _one(self, change):
        path = proper(change["path"])
        parent, name = self.tree.parent(path)
        self._check(change, parent, name)
        self._touched.add(os.path.dirname(path))
        if change["action"] == "delete":
            self._delete(change, path, parent, name)
        elif change.get("dress"):
            if change["kind"] != "directory":  # those are dressed last, when nothing more is put into them
                self._dress(change, parent, name)
        else:
            self._put(change, path, parent, name)

    def _check(self, change, parent, name):
        """Stale where the path is not what it was when it was observed, our own doings apart."""
        expected = change.get("expect")
        if expected is None:
            return
        try:
            found = os.stat(name, dir_fd=parent, follow_symlinks=False)
        except FileNotFoundError:
            raise Stale()
        kind = expected["kind"]
        if kind == "directory":
            same = stat.S_ISDIR(found.st_mode)
        elif kind == "link":
            same = stat.S_ISLNK(found.st_mode) and os.readlink(name, dir_fd=parent) == to_bytes(expected["target"])
        else:
            now, then = identity(found), expected["identity"]
            then = self._dressed.get(then[3], then)
            if expected["linked"]:  # what is done to one name of a file shows in the change time of all its names
                now, then = [now[0], now[1], now[3]], [then[0], then[1], then[3]]
            same = stat.S_ISREG(found.st_mode) and now == then
        if not same:
            raise Stale()

    def _put(self, change, path, parent, name):
        expected = change.get("expect")
        old = expected["kind"] if expected else None
        if change["kind"] == "directory":
            if old:
                self._away(path, parent, name)
            os.mkdir(name, 0o700, dir_fd=parent)
            return
        if old == "directory":
            os.rmdir(name, dir_fd=parent)
            self.tree.forget()
            parent, name = self.tree.parent(path)
            old = None
        if change["kind"] == "file":
            staged = self.staged[change["index"]]
            made = os.stat(staged, dir_fd=self.workshop.stage, follow_symlinks=False)
            rename_into(self.workshop.stage, staged, parent, name, old is not None)
            self._note_written(change, made, parent, name)
        elif change["kind"] == "hardlink":
            self._hardlink(change, parent, name, old is not None)
        else:
            self._make_aside(change, parent, name, old is not None)

    def _note_written(self, change, made, parent, name):
        """The identity of what is in its place now, if that is what we made: someone may have been there since."""
        try:
            found = os.stat(name, dir_fd=parent, follow_symlinks=False)
        except OSError:
            return
        if (found.st_ino, found.st_size, found.st_mtime_ns) == (made.st_ino, made.st_size, made.st_mtime_ns):
            self._written[change["index"]] = identity(found)

    def _make_aside(self, change, parent, name, replace):
        """A symbolic link: made in the stage under a name of its own, then put in its place."""
        stage, aside = self.workshop.stage, b"part-link-%d" % change["index"]
        os.symlink(to_bytes(change["target"]), aside, dir_fd=stage)
        try:
            uid, gid = owner_ids(change.get("owner"), change.get("group"))
            if uid != -1 or gid != -1:
                os.chown(aside, uid, gid, dir_fd=stage, follow_symlinks=False)
            if change.get("mtime") is not None:
                os.utime(aside, ns=(change["mtime"], change["mtime"]), dir_fd=stage, follow_symlinks=False)
            rename_into(stage, aside, parent, name, replace)
        except BaseException:
            os.unlink(aside, dir_fd=stage)
            raise

    def _hardlink(self, change, parent, name, replace):
        """Another name of a file of the tree; where something is replaced, made aside first."""
        source = Tree(os.dup(self.tree.handle))  # its own chain: ours holds the link's directory open
        try:
            keeper, named = source.parent(proper(change["target"]))
            if not replace:
                os.link(named, name, src_dir_fd=keeper, dst_dir_fd=parent, follow_symlinks=False)
                return
            folder, aside = self.workshop.stage, b"part-link-%d" % change["index"]
            try:
                os.link(named, aside, src_dir_fd=keeper, dst_dir_fd=folder, follow_symlinks=False)
            except OSError as fault:
                if fault.errno != errno.EXDEV:
                    raise
                folder, aside = parent, name_beside(parent, name)
                os.link(named, aside, src_dir_fd=keeper, dst_dir_fd=folder, follow_symlinks=False)
            try:
                os.replace(aside, name, src_dir_fd=folder, dst_dir_fd=parent)
            finally:
                discard(folder, aside)  # still there where both were names of one file already
        finally:
            source.close()

    def _dress(self, change, parent, name):
        if change["kind"] == "link":
            uid, gid = owner_ids(change.get("owner"), change.get("group"))
            os.chown(name, uid, gid, dir_fd=parent, follow_symlinks=False)
            if change.get("mtime") is not None:
                os.utime(name, ns=(change["mtime"], change["mtime"]), dir_fd=parent, follow_symlinks=False)
            return
        handle = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=parent)
        try:
            if os.fstat(handle).st_ino != change["expect"]["identity"][3]:
                raise Stale()  # swapped since it was checked: someone else's file must not get our owner and mode
            dress(handle, change)
            found = os.fstat(handle)
            self._dressed[found.st_ino] = identity(found)
        finally:
            os.close(handle)

    def _delete(self, change, path, parent, name):
        if change["expect"]["kind"] == "directory":
            os.rmdir(name, dir_fd=parent)
            self.tree.forget()
        else:
            self._away(path, parent, name)

    def _away(self, path, parent, name):
        """Take a file out of the tree, into the trash where one is kept."""
        if not self.keeps_trash:
            os.unlink(name, dir_fd=parent)
            return
        if self._trash is None:
            self._trash = Tree(self.workshop.trash(self.run))
        keeper = self._trash.handle
        made = []
        try:
            for part in path.split(b"/")[:-1]:
                try:
                    os.mkdir(part, 0o700, dir_fd=keeper)
                except FileExistsError:
                    pass
                keeper = os.open(part, DIRECTORY, dir_fd=keeper)
                made.append(keeper)
            try:
                os.rename(name, name, src_dir_fd=parent, dst_dir_fd=keeper)
            except OSError as fault:
                if fault.errno != errno.EXDEV:
                    raise
                os.unlink(name, dir_fd=parent)  # another file system within the tree: nothing to keep it in
        finally:
            for handle in made:
                os.close(handle)

    def _settle(self):
        """Modes and times of directories, deepest first: only now nothing more is put into them."""
        for change in sorted(self.settled, key=lambda each: -each["path"].count("/")):
            try:
                handle = self._open_directory(to_bytes(change["path"]))
            except OSError as fault:
                self._settle_failed(change, fault)  # no news where it could not be made: that has its outcome
                continue
            try:
                dress(handle, change)
            except OSError as fault:
                self._settle_failed(change, fault)
            finally:
                os.close(handle)

    def _open_directory(self, path):
        """A handle of the tree's root (path b"") or of a directory below it."""
        if path == b"":
            return os.dup(self.tree.handle)
        parent, name = self.tree.parent(proper(path))
        return os.open(name, DIRECTORY, dir_fd=parent)

    def _settle_failed(self, change, fault):
        """Told where the directory itself was to change; a time that only follows what is in it may stay."""
        if change.get("index") is not None:
            self.tell(change, "failed", os.strerror(fault.errno or errno.EIO))

    def _make_durable(self):
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
        if self._trash is not None:
            self._trash.close()
        self.workshop.close()
        self.tree.close()


def apply(exchange, root, run, trash=7):
    """Make the changes of the payload; a line of JSON per change: [index, done | failed | conflict, detail, identity].

    The payload: for each change CHANGE + JSON, then the pieces of its content as `read` gives them; at the end
    SETTLE + JSON, the directories whose mode or time is set last. `run` names the trash; `trash` is in days.
    """
    work = Applying(exchange, root, trash, run)
    try:
        work.stage()
        work.commit()
        work.workshop.empty_stage()
    finally:
        work.close()
    exchange.piece(b"".join(work.outcomes))
    return {"changes": len(work.changes)}
