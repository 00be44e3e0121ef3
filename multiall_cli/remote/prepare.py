"""Makes a tree ready to be changed by one run, and says what of its content is there already."""

import struct

from multiall_cli.remote import content
from multiall_cli.remote.handles import (
    Tree,
    absolute,
    make_directory,
    open_directory,
    proper,
    root_identity,
    same_root,
)
from multiall_cli.remote.workshop import Workshop


def prepare(exchange, root, trash=7, identity=None, last=None, run="", by=""):
    """Make the root where it is missing; tell what is staged, and for each requested path its blocks' hashes.

    `identity`: the [device, inode] that the root was observed to have, None where it was missing. `last`: the run
    that was the last to change the tree then; Refusal where another one did since. None: runs need not be kept apart,
    and this one is not noted. `run`, `by`: what is noted of this one.
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
                exchange.piece(struct.pack(">I", len(hashes) // content.BLOCK_HASH) + hashes)
        finally:
            workshop.close()
    finally:
        itself = root_identity(tree.handle)
        tree.close()
    return {"staged": staged, "identity": itself}
