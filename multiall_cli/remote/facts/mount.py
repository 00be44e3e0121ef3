"""The mount fact, and the mount table of the kernel."""

import os
import re


def mounts():
    """(path, type, options) of each, the last one on a path last."""
    with open("/proc/self/mounts", errors="surrogateescape") as lines:
        for line in lines:
            words = line.split(" ")
            if len(words) > 3:
                yield _unescape(words[1]), words[2], words[3].split(",")


def _unescape(word):
    return re.sub(r"\\([0-7]{3})", lambda found: chr(int(found.group(1), 8)), word)


def mount(path):
    """present, type, options (words) of what is mounted there."""
    return find_mount(list(mounts()), path)


def find_mount(table, path):
    """Of (path, type, options); the path may end in a slash or lead through a link, which is looked at last: a server
    that is gone would not let us.
    """
    for way in (_normalize, os.path.realpath):
        place = way(path)
        found = [each for each in table if each[0] == place]
        if found:
            return {"present": True, "type": found[-1][1], "options": found[-1][2]}
    return {"present": False}


def _normalize(path):
    return "/" + os.path.normpath(path).lstrip("/")
