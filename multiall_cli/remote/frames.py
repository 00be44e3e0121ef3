"""Length-prefixed frames: the protocol between the admin host and the loop on a member.

A frame is a kind (1 byte), the length of the body (4 bytes, big endian) and the body.
Admin host to member: MODULES before an operation that is not in the bundle, REQUEST (JSON), DATA…, END.
Member to admin host: DATA… and HEARTBEAT…, then VALUE or ERROR (JSON).
"""

import struct

MODULES, REQUEST, DATA, END, VALUE, ERROR, HEARTBEAT = b"M", b"R", b"D", b"E", b"V", b"X", b"B"
MAX_DATA = 1 << 20  # bytes of the body of a DATA frame
MAX_BODY = 16 << 20  # bytes of the body of any frame; more is an error of the peer
LONGEST_PATIENCE = 1e6  # seconds of a request's `patience`, at most
HELLO = b"\0multiall loop 1\n"  # the member's first bytes; output of login scripts before them is skipped

_HEADER = struct.Struct(">cI")
HEADER_SIZE = _HEADER.size


class BadFrame(Exception):
    """The peer does not speak this protocol."""


def pack(kind, body=b""):
    """Return a frame as bytes."""
    return _HEADER.pack(kind, len(body)) + body


def unpack_header(header):
    """Return (kind, length of the body). Raises BadFrame."""
    kind, length = _HEADER.unpack(header)
    if kind not in (MODULES, REQUEST, DATA, END, VALUE, ERROR, HEARTBEAT):
        raise BadFrame("a frame of unknown kind %r" % kind)
    if length > MAX_BODY:
        raise BadFrame("a frame of %d bytes; the limit is %d" % (length, MAX_BODY))
    return kind, length


def read(source):
    """Return the next (kind, body) of a binary file, or None at its end. Raises BadFrame if it ends within a frame."""
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
