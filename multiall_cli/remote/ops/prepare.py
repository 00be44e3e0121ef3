"""Makes a tree ready to be changed by one run, and says what of its content is there already."""

import struct

from multiall_cli.remote.formats.transfer import BLOCK_HASH
from multiall_cli.remote.ops import content
from multiall_cli.remote.ops.dirfd import (
    Tree,
    absolute,
    make_directory,
    open_directory,
    proper,
    root_identity,
    same_root,
)
from multiall_cli.remote.ops.staging_area import Workshop


def prepare(exchange, root, trash=7, identity=None, last=None, run="", by=""):
    """Make the root if it is missing. Return the staged names, and the block hashes of each requested path.

    `identity`: [device, inode] of the root when it was observed, None if it was missing. `last`: the last run that had
    changed the tree by then; raises Refusal if another run began since. None: other runs do not matter, and this run
    leaves no note. `run`, `by`: its id, user and host for that note.
    """
    wanted = content.requests(exchange)
    path = absolute(root)
    tree = Tree(make_directory(path) if identity is None else same_root(open_directory(path), identity))
    try:
        workshop = Workshop(exchange, path, tree.handle, last)
        try:
            if last is not None:
                workshop.note(run, by)
            workshop.empty_trash(trash)
            staged = sorted(name.decode("ascii", "replace") for name in workshop.staged())
            for below in wanted:
                hashes = content.hash_blocks(exchange, tree, proper(below))
                exchange.piece(struct.pack(">I", len(hashes) // BLOCK_HASH) + hashes)
        finally:
            workshop.close()
    finally:
        itself = root_identity(tree.handle)
        tree.close()
    return {"staged": staged, "identity": itself}
