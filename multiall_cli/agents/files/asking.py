"""What is asked in lines, and how much a member may answer: what it sends is counted, whoever it is."""

from collections.abc import Iterable

from multiall_cli.domain.errors import MemberFault
from multiall_cli.ports.session import Reply

MOST_HASHES = 1 << 28  # bytes; the blocks of two terabytes


def whole(server: str, operation: str, reply: Reply, most: int) -> bytes:
    """All pieces of an answer. Errors: MemberFault where they are more than `most` bytes: no one holds any number."""
    told = bytearray()
    for piece in reply.pieces():
        told += piece
        if len(told) > most:
            what = f"its answer to {operation!r} is garbage: more than {most} bytes"
            raise MemberFault(server, what, f"look at it with `multiall doctor {server}`")
    return bytes(told)


def batches(lines: Iterable[str], size: int = 1 << 18) -> list[bytes]:
    """Lines of JSON as payload pieces of about `size` bytes."""
    out, piece = [], bytearray()
    for line in lines:
        piece += line.encode("ascii")
        if len(piece) >= size:
            out.append(bytes(piece))
            piece.clear()
    if piece:
        out.append(bytes(piece))
    return out
