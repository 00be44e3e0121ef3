"""Files that others read while they change."""

from pathlib import Path


def write_atomically(file: Path, text: str) -> None:
    """All of it or nothing: who reads it while it changes sees the file as it was."""
    aside = file.with_name(f".{file.name}.new")
    aside.write_text(text, "utf-8")
    aside.chmod(0o600)
    aside.replace(file)
