"""Files and folders of ours that nobody else can have put there or can change: opened through no link."""

import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path

from multiall_cli.domain.errors import MultiAllError

OTHERS = stat.S_IWGRP | stat.S_IWOTH
_OWN = "run this as its owner, or name another folder with `store:`"


def check_folder(folder: Path) -> None:
    """Errors: OSError; MultiAllError where another account owns it or may write into it."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        _check(folder, os.fstat(handle))
    finally:
        os.close(handle)


def open_trusted(path: Path) -> int:
    """A descriptor of a file that is made (0600) where it is missing. Errors: OSError; MultiAllError where it is a link
    or no plain file, has another name, or where another account owns it or may write it.
    """
    if path.is_symlink():
        raise MultiAllError(str(path), "it is a link, and would change another file", "see who made it, and remove it")
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
    handle = os.open(path, flags, 0o600)
    try:
        check_file(path, os.fstat(handle))
    except BaseException:
        os.close(handle)
        raise
    return handle


def trust_errors(paths: Iterable[Path]) -> Iterator[MultiAllError]:
    """Yield what is wrong with files that may be missing, as `open_own` would raise it. Errors: OSError."""
    for path in paths:
        try:
            check_file(path, path.lstat())
        except FileNotFoundError:
            continue
        except MultiAllError as fault:
            yield fault


def check_file(path: Path, found: os.stat_result) -> None:
    """Errors: MultiAllError, as `open_own`."""
    if not stat.S_ISREG(found.st_mode):
        raise MultiAllError(str(path), "it is no plain file", "see who made it, and remove it")
    if found.st_nlink > 1:
        what = f"it has {found.st_nlink} names, and a change would change the others"
        raise MultiAllError(str(path), what, "see who made them, and leave it one name")
    _check(path, found)


def _check(path: Path, found: os.stat_result) -> None:
    if found.st_uid != os.geteuid():
        raise MultiAllError(str(path), f"user {found.st_uid} owns it, and this runs as user {os.geteuid()}", _OWN)
    if found.st_mode & OTHERS:
        what = f"other accounts may write it (mode {stat.S_IMODE(found.st_mode):04o})"
        raise MultiAllError(str(path), what, f"see what they wrote, then `chmod go-w {path}`")
