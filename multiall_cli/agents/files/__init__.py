"""The file sync agent (FS-SA)."""

from multiall_cli.agents.files.agent import FileTree, file_tree
from multiall_cli.agents.files.item import FileItem, FileKind

__all__ = ["FileItem", "FileKind", "FileTree", "file_tree"]
