"""Reads what is in files: digests, block hashes and the blocks themselves."""

import hashlib
import json
import os
import struct
import zlib

from multiall_cli.remote.handles import Tree, absolute, open_directory, proper

BLOCK = 1 << 17  # bytes; files travel and are compared in blocks of this size
BLOCK_HASH = 16  # bytes of a block's hash; the whole file's sha256 is checked when it is put together
PAYS = 0.8  # a file is compressed where its first block shrinks to less than this share

RAW, PACKED, DONE, FAILED = b"B", b"Z", b"E", b"F"  # what a piece of `read` is
_PIECE = struct.Struct(">cII")  # what, index of the file, index of the block
PIECE_HEAD = _PIECE.size


def identity(found):
    """What changes whenever a file's content may have: (size, mtime ns, ctime ns, inode)."""
    return [found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino]


def requests(exchange):
    """The payload as a list of JSON values, one per line."""
    text = b"".join(exchange.payload())
    return [json.loads(line) for line in text.decode("ascii").splitlines()]


def blocks_of(handle):
    """(index, bytes) of each block of an open file."""
    index = 0
    while True:
        block = b""
        while len(block) < BLOCK:  # a read may be short
            more = os.pread(handle, BLOCK - len(block), index * BLOCK + len(block))
            if not more:
                break
            block += more
        if not block:
            return
        yield index, block
        index += 1


def block_hash(block):
    return hashlib.sha256(block).digest()[:BLOCK_HASH]


def digest_of(exchange, handle):
    whole = hashlib.sha256()
    for _, block in blocks_of(handle):
        whole.update(block)
        exchange.beat()
    return whole.digest()


def digest(exchange, root):
    """A byte and 32 bytes for each requested [path, identity]: 1 and the sha256, or 0 where it is not that file now."""
    wanted = requests(exchange)
    tree = Tree(open_directory(absolute(root)))
    try:
        for path, expected in wanted:
            exchange.piece(_digest(exchange, tree, proper(path), expected))
    finally:
        tree.close()
    return {"files": len(wanted)}


def _digest(exchange, tree, path, expected):
    try:
        handle = tree.open_file(path)
    except OSError:
        return b"\0" * 33
    try:
        found = digest_of(exchange, handle)
        same = identity(os.fstat(handle)) == expected
    finally:
        os.close(handle)
    return b"\1" + found if same else b"\0" * 33


def hash_blocks(exchange, tree, path):
    """The hashes of a file's blocks, one after the other; nothing where it cannot be read."""
    try:
        handle = tree.open_file(path)
    except OSError:
        return b""
    hashes = []
    try:
        for _, block in blocks_of(handle):
            hashes.append(block_hash(block))
            exchange.beat()
    finally:
        os.close(handle)
    return b"".join(hashes)


def blocks(exchange, root):
    """For each requested path: the count of its blocks (4 bytes) and their hashes."""
    wanted = requests(exchange)
    tree = Tree(open_directory(absolute(root)))
    try:
        for path in wanted:
            hashes = hash_blocks(exchange, tree, proper(path))
            exchange.piece(struct.pack(">I", len(hashes) // BLOCK_HASH) + hashes)
    finally:
        tree.close()
    return {"files": len(wanted)}


def read(exchange, root):
    """The requested blocks of files, each file read once and in order.

    Each request is [path, identity, block indices or null]. A piece is what it is, the request's index, the
    block's index and the bytes; a file ends with DONE, or with FAILED and the reason.
    """
    wanted = requests(exchange)
    tree = Tree(open_directory(absolute(root)))
    try:
        for index, (path, expected, chosen) in enumerate(wanted):
            _read_file(exchange, tree, index, proper(path), expected, chosen)
    finally:
        tree.close()
    return {"files": len(wanted)}


def _read_file(exchange, tree, index, path, expected, chosen):
    try:
        handle = tree.open_file(path)
    except OSError as fault:
        exchange.piece(_PIECE.pack(FAILED, index, 0) + (fault.strerror or "unreadable").encode())
        return
    try:
        pays = None
        for number, block in blocks_of(handle) if chosen is None else _chosen(handle, chosen):
            packed = zlib.compress(block, 1) if pays is not False else block
            if pays is None:
                pays = len(packed) < PAYS * len(block)
            body = packed if pays else block
            exchange.piece(_PIECE.pack(PACKED if pays else RAW, index, number) + body)
        if expected is not None and identity(os.fstat(handle)) != expected:
            exchange.piece(_PIECE.pack(FAILED, index, 0) + b"it changed while it was read")
        else:
            exchange.piece(_PIECE.pack(DONE, index, 0))
    finally:
        os.close(handle)


def _chosen(handle, indices):
    for number in indices:
        yield number, os.pread(handle, BLOCK, number * BLOCK)


def unpack_piece(piece):
    """(what, index of the file, index of the block, bytes) of a piece of `read`."""
    what, index, number = _PIECE.unpack_from(piece)
    return what, index, number, piece[PIECE_HEAD:]
