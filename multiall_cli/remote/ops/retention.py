"""Keeps what a run takes out of a tree: deleted files for some days, replaced ones until the next run."""

import errno
import os

from multiall_cli.remote.ops import atomic_rename
from multiall_cli.remote.ops.dirfd import Tree, to_bytes


class Shelves(object):
    """The trash and the replaced files of one run, in the workshop of its tree."""

    def __init__(self, workshop, run, keeps_trash, keeps_replaced):
        self._workshop = workshop
        self._run = to_bytes(run)
        self._keeps_trash = keeps_trash
        self._keeps_replaced = keeps_replaced
        self._open = {}  # "trash" or "replaced" → Tree

    def put(self, folder, staged, path, parent, name, old):
        """Put a staged thing in its place, and keep what it replaces (`old`: its stat, None for nothing)."""
        keeper = None
        if old is not None and self._keeps_replaced and old.st_nlink == 1:
            keeper = self._shelf("replaced").make_parent(path)  # before the change: what fails here changes nothing
        atomic_rename.put(folder, staged, parent, name, old)
        if old is None:
            return
        try:
            left = atomic_rename.look(folder, staged)
        except FileNotFoundError:
            return  # another file system within the tree: nothing to keep it in
        if keeper is None or left.st_nlink > 1:  # the file still has its other names
            atomic_rename.discard(folder, staged)
            return
        os.rename(staged, os.path.basename(path), src_dir_fd=folder, dst_dir_fd=keeper)

    def take_out(self, path, parent, name, old):
        """Take a file out of the tree, into the trash. What turns out to be another file goes back, or stays there."""
        shelf, kept = self._shelf("trash"), os.path.basename(path)
        if self._keeps_trash:
            keeper = shelf.make_parent(path)
        else:
            keeper, kept = shelf.handle, kept[:200] + b".%d" % old.st_ino
        try:
            atomic_rename.take_out(parent, name, keeper, kept, old)
        except OSError as fault:
            if fault.errno != errno.EXDEV:
                raise
            kept = atomic_rename.name_beside(parent, name)  # another file system within the tree
            atomic_rename.take_out(parent, name, parent, kept, old)
            os.unlink(kept, dir_fd=parent)
            return
        if not self._keeps_trash:
            os.unlink(kept, dir_fd=keeper)

    def _shelf(self, kind):
        if kind not in self._open:
            made = self._workshop.trash if kind == "trash" else self._workshop.replaced
            self._open[kind] = Tree(made(self._run))
        return self._open[kind]

    def close(self):
        for shelf in self._open.values():
            shelf.close()
        if not self._keeps_trash and self._open:
            self._workshop.drop_trash(self._run)
