"""Reads file content: digests, block hashes and blocks."""

import errno
import hashlib
import json
import os
import struct
import zlib

from multiall_cli.remote.formats.transfer import BLOCK, BLOCK_HASH, DONE, FAILED, HOLE, PACKED, RAW, pack_piece
from multiall_cli.remote.ops.dirfd import Tree, absolute_path, check_root, checked_path, open_directory

PAYS = 0.8  # a file is compressed if its first block shrinks to less than this share

SECTOR = 512  # bytes in a unit of st_blocks
VANISHED = "it vanished during the run"


def identity_of(found):
    """Return what changes with the content of a file: [size, mtime ns, ctime ns, inode]."""
    return [found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino]


def read_json_lines(request):
    """Return the payload as a list of JSON values, one per line."""
    text = b"".join(request.payload())
    return [json.loads(line) for line in text.decode("ascii").splitlines()]


def read_block(handle, number):
    """Return a block of an open file; the last one may be shorter."""
    block = b""
    while len(block) < BLOCK:  # a read may be short
        more = os.pread(handle, BLOCK - len(block), number * BLOCK + len(block))
        if not more:
            break
        block += more
    return block


def iter_blocks(handle):
    """Yield (index, bytes) of each block of an open file."""
    index = 0
    while True:
        block = read_block(handle, index)
        if not block:
            return
        yield index, block
        index += 1


def is_hole(handle, found, number):
    """Return whether a block of an open file uses no disk space. `found`: the stat of the file."""
    if found.st_blocks * SECTOR >= found.st_size or not hasattr(os, "SEEK_DATA"):
        return False
    start = number * BLOCK
    try:
        return os.lseek(handle, start, os.SEEK_DATA) >= min(start + BLOCK, found.st_size)
    except OSError as fault:
        return fault.errno == errno.ENXIO  # no data after this position


def block_hash(block):
    return hashlib.sha256(block).digest()[:BLOCK_HASH]


def digest_file(request, handle):
    whole = hashlib.sha256()
    for _, block in iter_blocks(handle):
        whole.update(block)
        request.heartbeat()
    return whole.digest()


def _tree(root, identity):
    """Return the tree at the root, which must be the observed [device, inode] (None: any)."""
    return Tree(check_root(open_directory(absolute_path(root)), identity))


def digest(request, root, identity=None):
    """Send 33 bytes for each requested [path, identity]: 1 and the sha256, or zeros if it is another file now."""
    wanted = read_json_lines(request)
    tree = _tree(root, identity)
    try:
        for path, expected in wanted:
            request.send(_digest(request, tree, checked_path(path), expected))
    finally:
        tree.close()
    return {"files": len(wanted)}


def _digest(request, tree, path, expected):
    try:
        handle = tree.open_file(path)
    except OSError:
        return b"\0" * 33
    try:
        found = digest_file(request, handle)
        same = identity_of(os.fstat(handle)) == expected
    finally:
        os.close(handle)
    return b"\1" + found if same else b"\0" * 33


def hash_blocks(request, tree, path):
    """Return the joined hashes of the blocks of a file; nothing if it is unreadable."""
    try:
        handle = tree.open_file(path)
    except OSError:
        return b""
    hashes = []
    try:
        for _, block in iter_blocks(handle):
            hashes.append(block_hash(block))
            request.heartbeat()
    finally:
        os.close(handle)
    return b"".join(hashes)


def block_hashes(request, root, identity=None):
    """Send, for each requested path, the number of its blocks (4 bytes) and their hashes."""
    wanted = read_json_lines(request)
    tree = _tree(root, identity)
    try:
        for path in wanted:
            hashes = hash_blocks(request, tree, checked_path(path))
            request.send(struct.pack(">I", len(hashes) // BLOCK_HASH) + hashes)
    finally:
        tree.close()
    return {"files": len(wanted)}


def read_blocks(request, root, identity=None):
    """Send the requested blocks of files, each file read once and in order.

    Each request is [path, identity, block indexes or null]. A file ends with DONE, or with FAILED and the reason.
    """
    wanted = read_json_lines(request)
    tree = _tree(root, identity)
    try:
        for index, (path, expected, chosen) in enumerate(wanted):
            _read_file(request, tree, index, checked_path(path), expected, chosen)
    finally:
        tree.close()
    return {"files": len(wanted)}


def _read_file(request, tree, index, path, expected, chosen):
    try:
        handle = tree.open_file(path)
    except OSError as fault:
        why = VANISHED if fault.errno in (errno.ENOENT, errno.ENOTDIR) else fault.strerror or "unreadable"
        request.send(pack_piece(FAILED, index, 0, why.encode()))
        return
    try:
        found = os.fstat(handle)
        _send_blocks(request, handle, found, index, chosen)
        if expected is not None and identity_of(os.fstat(handle)) != expected:
            request.send(pack_piece(FAILED, index, 0, b"it changed while it was read"))
        else:
            request.send(pack_piece(DONE, index))
    finally:
        os.close(handle)


def _send_blocks(request, handle, found, index, chosen):
    pays = None
    for number in range(-(-found.st_size // BLOCK)) if chosen is None else chosen:
        if is_hole(handle, found, number):
            request.send(pack_piece(HOLE, index, number))
            continue
        block = read_block(handle, number)
        packed = zlib.compress(block, 1) if pays is not False else block
        if pays is None:
            pays = len(packed) < PAYS * len(block)
        request.send(pack_piece(PACKED if pays else RAW, index, number, packed if pays else block))
