"""A lab's folder: whose it is, whether its lab lives, and what is left when it does not."""

import fcntl
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from multiall_cli.domain.errors import UsageError


def is_running(folder: Path) -> bool:
    """Whether a keeper holds the folder's lock: a lock ends with its process, a pid may be another's by now."""
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
    """Whether its lab is to go on without the process that started it."""
    try:
        return bool(json.loads((folder / "lab.json").read_text("utf-8"))["keep"])
    except (OSError, ValueError):
        return False


def own_folders(where: Path, prefix: str) -> Iterator[Path]:
    """This user's folders whose names begin so."""
    for folder in sorted(where.glob(f"{prefix}*")):
        if not folder.is_symlink() and folder.stat().st_uid == os.geteuid():
            yield folder


def remove_leftovers(where: Path, prefix: str) -> list[Path]:
    """Remove what labs left that were killed together with their keeper; which folders that were."""
    gone = [folder for folder in own_folders(where, prefix) if (folder / "lock").exists() and not is_running(folder)]
    for folder in gone:
        shutil.rmtree(folder, ignore_errors=True)
    return gone


def claim(folder: Path | None, where: Path, prefix: str) -> Path:
    """An empty folder for a lab: a named one, or a fresh one. Errors: UsageError where there is something in it."""
    if folder is None:
        return Path(tempfile.mkdtemp(prefix=prefix, dir=where))
    if folder.exists() and any(folder.iterdir()):
        if not (folder / "lock").exists() or is_running(folder):
            raise UsageError(str(folder), "it is not empty", "name a new folder: the lab removes it when it ends")
        shutil.rmtree(folder)
    folder.mkdir(parents=True, exist_ok=True)
    return folder.resolve()
