"""Own files and folders that no other account can have made or can change; links are not followed."""

import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path

from multiall_cli.domain.errors import MultiAllError

OTHERS = stat.S_IWGRP | stat.S_IWOTH
_OWN = "run this as its owner, or set another folder with `store:`"


def check_folder(folder: Path) -> None:
    """Raises OSError; MultiAllError if another account owns it or can write to it."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        _check(folder, os.fstat(handle))
    finally:
        os.close(handle)


def open_trusted(path: Path) -> int:
    """Open a file, made with mode 0600 if missing; return its descriptor.

    Raises OSError; MultiAllError if it is a link or no regular file, has a second hard link, or another account owns it
    or can write to it.
    """
    if path.is_symlink():
        raise MultiAllError(
            str(path), "is a link; writing would change another file", "check who made it, then remove it"
        )
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
    handle = os.open(path, flags, 0o600)
    try:
        check_file(path, os.fstat(handle))
    except BaseException:
        os.close(handle)
        raise
    return handle


def trust_errors(paths: Iterable[Path]) -> Iterator[MultiAllError]:
    """Yield the errors that `open_trusted` would raise for these files; missing ones are skipped. Raises OSError."""
    for path in paths:
        try:
            check_file(path, path.lstat())
        except FileNotFoundError:
            continue
        except MultiAllError as fault:
            yield fault


def check_file(path: Path, found: os.stat_result) -> None:
    """Raises MultiAllError as `open_trusted` does."""
    if not stat.S_ISREG(found.st_mode):
        raise MultiAllError(str(path), "not a regular file", "check who made it, then remove it")
    if found.st_nlink > 1:
        what = f"has {found.st_nlink} hard links, and a write would change the others"
        raise MultiAllError(str(path), what, "check who made them, and keep only this one")
    _check(path, found)


def _check(path: Path, found: os.stat_result) -> None:
    if found.st_uid != os.geteuid():
        raise MultiAllError(str(path), f"owned by user {found.st_uid}, but this runs as user {os.geteuid()}", _OWN)
    if found.st_mode & OTHERS:
        what = f"other accounts can write to it (mode {stat.S_IMODE(found.st_mode):04o})"
        raise MultiAllError(str(path), what, f"check what they wrote, then run `chmod go-w {path}`")
