"""Line-based requests, and a bound on the size of every answer, because any member may be hostile."""

from collections.abc import Iterable

from multiall_cli.domain.errors import MemberFault
from multiall_cli.ports.session import Reply

MOST_HASHES = 1 << 28  # bytes; the block hashes of 2 TB


def read_bounded(server: str, operation: str, reply: Reply, most: int) -> bytes:
    """Return all pieces of an answer. Raises MemberFault if they exceed `most` bytes, because memory is limited."""
    told = bytearray()
    for piece in reply.pieces():
        told += piece
        if len(told) > most:
            what = f"its answer to {operation!r} is garbage: more than {most} bytes"
            raise MemberFault(server, what, f"look at it with `multiall doctor {server}`")
    return bytes(told)


def json_lines(lines: Iterable[str], size: int = 1 << 18) -> list[bytes]:
    """Yield JSON lines as payload pieces of about `size` bytes."""
    out, piece = [], bytearray()
    for line in lines:
        piece += line.encode("ascii")
        if len(piece) >= size:
            out.append(bytes(piece))
            piece.clear()
    if piece:
        out.append(bytes(piece))
    return out
