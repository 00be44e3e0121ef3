"""Keeps the files that a run removes: deleted ones for some days, replaced ones until the next run."""

import errno
import os

from multiall_cli.remote.ops import atomic_rename
from multiall_cli.remote.ops.dirfd import Tree, to_bytes


class RetainedFiles(object):
    """The trash and the replaced files of one run, in the staging area of its tree."""

    def __init__(self, area, run, keep_trash, keep_replaced):
        self._area = area
        self._run = to_bytes(run)
        self._keep_trash = keep_trash
        self._keep_replaced = keep_replaced
        self._trees = {}  # "trash" or "replaced" → Tree

    def install(self, folder, staged, path, parent, name, old):
        """Install a staged entry and keep the entry that it replaces (`old`: its stat, None for a new path)."""
        keep_in = None
        if old is not None and self._keep_replaced and old.st_nlink == 1:
            keep_in = self._folder("replaced").make_parent(
                path
            )  # before the change, so that an error leaves the tree untouched
        atomic_rename.install(folder, staged, parent, name, old)
        if old is None:
            return
        try:
            left = atomic_rename.lstat(folder, staged)
        except FileNotFoundError:
            return  # another file system within the tree, which has no trash
        if keep_in is None or left.st_nlink > 1:  # the file still has its other names
            atomic_rename.unlink_if_present(folder, staged)
            return
        os.rename(staged, os.path.basename(path), src_dir_fd=folder, dst_dir_fd=keep_in)

    def move_aside(self, path, parent, name, old):
        """Move a file to the trash. If it turns out to be another one, it goes back, or stays there."""
        folder_tree, kept_name = self._folder("trash"), os.path.basename(path)
        if self._keep_trash:
            keep_in = folder_tree.make_parent(path)
        else:
            keep_in, kept_name = folder_tree.handle, kept_name[:200] + b".%d" % old.st_ino
        try:
            atomic_rename.move_aside(parent, name, keep_in, kept_name, old)
        except OSError as fault:
            if fault.errno != errno.EXDEV:
                raise
            kept_name = atomic_rename.temporary_name(parent, name)  # another file system within the tree
            atomic_rename.move_aside(parent, name, parent, kept_name, old)
            os.unlink(kept_name, dir_fd=parent)
            return
        if not self._keep_trash:
            os.unlink(kept_name, dir_fd=keep_in)

    def _folder(self, kind):
        if kind not in self._trees:
            made = self._area.trash_folder if kind == "trash" else self._area.replaced_folder
            self._trees[kind] = Tree(made(self._run))
        return self._trees[kind]

    def close(self):
        for folder_tree in self._trees.values():
            folder_tree.close()
        if not self._keep_trash and self._trees:
            self._area.remove_empty_trash(self._run)
