"""A lab's folder: its owner, whether its lab is running, and how to remove leftovers."""

import fcntl
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from multiall_cli.domain.errors import UsageError


def is_running(folder: Path) -> bool:
    """Return whether a supervisor holds the folder's lock; unlike a pid, a lock ends with its process."""
    try:
        lock = os.open(folder / "lock", os.O_RDWR)
    except OSError:
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(lock)
    return False


def is_persistent(folder: Path) -> bool:
    """Return whether the lab keeps running without the process that started it."""
    try:
        return bool(json.loads((folder / "lab.json").read_text("utf-8"))["keep"])
    except (OSError, ValueError):
        return False


def own_folders(where: Path, prefix: str) -> Iterator[Path]:
    """Yield this user's folders with this prefix."""
    for folder in sorted(where.glob(f"{prefix}*")):
        if not folder.is_symlink() and folder.stat().st_uid == os.geteuid():
            yield folder


def remove_leftovers(where: Path, prefix: str) -> list[Path]:
    """Remove the folders of labs whose supervisor was killed; return them."""
    gone = [folder for folder in own_folders(where, prefix) if (folder / "lock").exists() and not is_running(folder)]
    for folder in gone:
        shutil.rmtree(folder, ignore_errors=True)
    return gone


def claim(folder: Path | None, where: Path, prefix: str) -> Path:
    """Return an empty folder for a lab: the given one, or a new one. Raises UsageError if it is not empty."""
    if folder is None:
        return Path(tempfile.mkdtemp(prefix=prefix, dir=where))
    if folder.exists() and any(folder.iterdir()):
        if not (folder / "lock").exists() or is_running(folder):
            raise UsageError(
                str(folder), "the folder is not empty", "choose a new one: the lab removes it when it ends"
            )
        shutil.rmtree(folder)
    folder.mkdir(parents=True, exist_ok=True)
    return folder.resolve()
