"""The files fact: how many paths a pattern matches."""

import glob
import os
import time


def files(path):
    """Return count, and age of the newest path in seconds."""
    _check_readable(path)
    dates = []
    for each in glob.glob(path):
        try:
            dates.append(os.lstat(each).st_mtime)
        except FileNotFoundError:
            continue  # removed meanwhile
    values: "dict[str, float]" = {"count": len(dates)}
    if dates:
        values["age"] = max(0.0, time.time() - max(dates))
    return values


def _check_readable(path):
    """Raise PermissionError if the folder is unreadable: glob would report it as empty."""
    fixed = os.path.dirname(path)
    while glob.has_magic(fixed):
        fixed = os.path.dirname(fixed)
    try:
        os.listdir(fixed or ".")
    except (FileNotFoundError, NotADirectoryError):
        return
