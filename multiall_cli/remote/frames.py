"""Length-prefixed frames: the one way in which admin and member talk once the loop runs.

A frame is a kind (1 byte), the body's length (4 bytes, big endian) and the body.
Admin to member: MODULES where an operation is not in the bundle, REQUEST (JSON), then DATA…, then END.
Member to admin: DATA… and BEAT…, then VALUE or ERROR (JSON).
"""

import struct

MODULES, REQUEST, DATA, END, VALUE, ERROR, HEARTBEAT = b"M", b"R", b"D", b"E", b"V", b"X", b"B"
MAX_DATA = 1 << 20  # bytes of a DATA frame's body
MAX_BODY = 16 << 20  # bytes of any frame's body; more is a fault of the other side
LONGEST_PATIENCE = 1e6  # seconds of a request's `patience`, at most
HELLO = b"\0multiall loop 1\n"  # what the member writes first; what a login script prints before it is passed over

_HEADER = struct.Struct(">cI")
HEADER_SIZE = _HEADER.size


class BadFrame(Exception):
    """The other side does not speak this protocol."""


def pack(kind, body=b""):
    """The frame as bytes."""
    return _HEADER.pack(kind, len(body)) + body


def unpack_header(header):
    """(kind, length of the body) of a header; BadFrame where it cannot be one."""
    kind, length = _HEADER.unpack(header)
    if kind not in (MODULES, REQUEST, DATA, END, VALUE, ERROR, HEARTBEAT):
        raise BadFrame("a frame of unknown kind %r" % kind)
    if length > MAX_BODY:
        raise BadFrame("a frame of %d bytes; the limit is %d" % (length, MAX_BODY))
    return kind, length


def read(source):
    """The next (kind, body) of a binary file, or None at its end; BadFrame where it ends within a frame."""
    header = source.read(HEADER_SIZE)
    if not header:
        return None
    if len(header) < HEADER_SIZE:
        raise BadFrame("the stream ended within a frame's header")
    kind, length = unpack_header(header)
    body = source.read(length)
    if len(body) < length:
        raise BadFrame("the stream ended within a frame")
    return kind, body
