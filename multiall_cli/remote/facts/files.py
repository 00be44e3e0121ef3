"""The files fact: how many paths a pattern matches."""

import glob
import os
import time


def files(path):
    """count of what a pattern finds; age (s) of the newest, where there is one."""
    _check_readable(path)
    dates = []
    for each in glob.glob(path):
        try:
            dates.append(os.lstat(each).st_mtime)
        except FileNotFoundError:
            continue  # it has just gone
    values: "dict[str, float]" = {"count": len(dates)}
    if dates:
        values["age"] = max(0.0, time.time() - max(dates))
    return values


def _check_readable(path):
    """To a pattern, a folder that it may not look into is an empty one. Errors: PermissionError."""
    fixed = os.path.dirname(path)
    while glob.has_magic(fixed):
        fixed = os.path.dirname(fixed)
    try:
        os.listdir(fixed or ".")
    except (FileNotFoundError, NotADirectoryError):
        return
