"""The file sync agent (FS-SA)."""

from multiall_cli.agents.files.agent import FileTree, file_tree
from multiall_cli.agents.files.item import FileItem, Kind

__all__ = ["FileItem", "FileTree", "Kind", "file_tree"]
