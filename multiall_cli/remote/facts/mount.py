"""The mount fact, and the mount table of the kernel."""

import os
import re


def mounts():
    """Yield (path, type, options) of each mount, in the order in which they were mounted."""
    with open("/proc/self/mounts", errors="surrogateescape") as lines:
        for line in lines:
            words = line.split(" ")
            if len(words) > 3:
                yield _unescape(words[1]), words[2], words[3].split(",")


def _unescape(word):
    return re.sub(r"\\([0-7]{3})", lambda found: chr(int(found.group(1), 8)), word)


def mount(path):
    """Return present, type and options (a list)."""
    return find_mount(list(mounts()), path)


def find_mount(table, path):
    """Return the values of the last mount on a path, which may end in a slash or contain links.

    Links are resolved last, because that can hang on a dead network file system.
    """
    for way in (_normalize, os.path.realpath):
        place = way(path)
        found = [each for each in table if each[0] == place]
        if found:
            return {"present": True, "type": found[-1][1], "options": found[-1][2]}
    return {"present": False}


def _normalize(path):
    return "/" + os.path.normpath(path).lstrip("/")
