"""Wire format of file content and of changes, as `read` sends them and `apply` takes them.

A piece of content is what it is (1 byte), the index of its file, the index of its block (4 bytes each, big endian) and
the bytes. A change is CHANGE and JSON; the last piece of a payload is SETTLE and JSON.
"""

import struct

BLOCK = 1 << 17  # bytes; files are sent and compared in blocks of this size
BLOCK_HASH = 16  # bytes of a block's hash; the sha256 of the whole file is checked after it is assembled

RAW, PACKED, HOLE, DONE, FAILED = b"B", b"Z", b"H", b"E", b"F"
CHANGE, SETTLE = b"C", b"T"
_HEAD = struct.Struct(">cII")
PIECE_HEAD = _HEAD.size


def pack_piece(what, index, number=0, body=b""):
    """Return a piece of content as bytes."""
    return _HEAD.pack(what, index, number) + body


def unpack_piece(piece):
    """Return (what, index of the file, index of the block, bytes) of a piece of content."""
    what, index, number = _HEAD.unpack_from(piece)
    return what, index, number, piece[PIECE_HEAD:]
