"""The disk fact: space and inodes of a file system."""

import os

from multiall_cli.remote.facts.mount import mounts


def mount_point(path):
    """Return the mount point of the file system that holds a path."""
    place, known = os.path.realpath(path), set()
    if os.path.exists("/proc/self/mounts"):
        known = {each for each, _, _ in mounts()}
    while place not in known and not os.path.ismount(place):  # ismount() misses a bind mount of the same file system
        place = os.path.dirname(place)
    return place


def disk(path):
    """Return used and inodes (shares, as df computes them), free (bytes for this user) and mounted."""
    try:
        found = os.statvfs(path)
    except FileNotFoundError:
        return {"present": False}
    place = mount_point(path)
    used = found.f_blocks - found.f_bfree
    room, nodes = used + found.f_bavail, found.f_files
    return {
        "present": True,
        "used": used / room if room else 0.0,
        "free": found.f_bavail * found.f_frsize,
        "inodes": (nodes - found.f_ffree) / nodes if nodes else 0.0,
        "mounted": place == os.path.realpath(path),
        "why": {"mounted": "it is on %s" % place},
    }
