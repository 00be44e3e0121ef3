"""Prepares a tree for a run: creates the root, locks it, and reports content that is there already."""

import struct

from multiall_cli.remote.formats.transfer import BLOCK_HASH
from multiall_cli.remote.ops import content
from multiall_cli.remote.ops.dirfd import (
    Tree,
    absolute_path,
    check_root,
    checked_path,
    make_directory,
    open_directory,
    root_identity,
)
from multiall_cli.remote.ops.staging_area import StagingArea


def prepare(request, root, trash=7, identity=None, last=None, run="", by=""):
    """Make the root if it is missing. Return the staged names, and the block hashes of each requested path.

    `identity`: [device, inode] of the root when it was observed, None if it was missing. `last`: the last run that had
    changed the tree by then; raises Refusal if another run began since. None: other runs do not matter, and this run
    leaves no note. `run`, `by`: its id, user and host for that note.
    """
    wanted = content.read_json_lines(request)
    path = absolute_path(root)
    tree = Tree(make_directory(path) if identity is None else check_root(open_directory(path), identity))
    try:
        area = StagingArea(request, path, tree.handle, last)
        try:
            if last is not None:
                area.write_run_note(run, by)
            area.empty_trash(trash)
            staged = sorted(name.decode("ascii", "replace") for name in area.staged())
            for below in wanted:
                hashes = content.hash_blocks(request, tree, checked_path(below))
                request.send(struct.pack(">I", len(hashes) // BLOCK_HASH) + hashes)
        finally:
            area.close()
    finally:
        itself = root_identity(tree.handle)
        tree.close()
    return {"staged": staged, "identity": itself}
