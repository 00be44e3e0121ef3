"""Atomic writes of files that others read."""

from pathlib import Path


def write_atomically(file: Path, text: str) -> None:
    """Write a file atomically: a reader sees the old or the new text."""
    aside = file.with_name(f".{file.name}.new")
    aside.write_text(text, "utf-8")
    aside.chmod(0o600)
    aside.replace(file)
