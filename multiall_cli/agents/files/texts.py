"""Contents of files as text, for `pool diff`."""

from collections.abc import Mapping, Sequence

from multiall_cli.agents.files.content import Content, NoContent, block_count, inflate_piece
from multiall_cli.agents.files.item import FileItem, FileKind
from multiall_cli.domain.change import Change

MOST_TEXT = 1 << 20  # bytes; `pool diff` shows no larger file


def is_readable(change: Change[FileItem]) -> bool:
    sides = [item for item in (change.before, change.after) if item is not None]
    files = all(item.kind is FileKind.FILE and item.size <= MOST_TEXT for item in sides)
    return files and len({item.digest for item in sides}) + (len(sides) == 1) > 1


def all_blocks(item: FileItem) -> tuple[FileItem, Sequence[int]]:
    return item, range(block_count(item.size))


def text_of(content: Content, path: str, wanted: Mapping[str, tuple[FileItem, Sequence[int]]]) -> bytes:
    """Return a file's content, or a note if it cannot be read."""
    if path not in wanted:
        return b""
    try:
        return b"".join(
            inflate_piece(piece, wanted[path][0].size) for piece in content.pieces(path, wanted[path][1]) if piece
        )
    except NoContent as fault:
        return f"({fault})\n".encode()
