"""Decides who else could redirect a path: in a folder that others write to, a name means what they say it means.

Whoever may write to a folder can rename everything in it, whoever owns it. So a link counts only where nobody but
root or we can have put it there, and a folder that others write to leads only to directories that are theirs anyway.
"""

import grp
import os
import pwd
import stat

ACL = "system.posix_acl_access"


def trusted_users():
    """The users whose doing we take for our own: root, ourselves, and whoever became root to run us."""
    users = {0, os.geteuid()}
    if os.geteuid() == 0:
        users |= _callers()
    return users


def _callers():
    """Whoever may start this program as root through sudo or doas is root in all but name."""
    number, name = os.environ.get("SUDO_UID", ""), os.environ.get("DOAS_USER", "")
    try:
        return ({int(number)} if number.isdigit() else set()) | ({pwd.getpwnam(name).pw_uid} if name else set())
    except KeyError:
        return set()


def strangers(handle, found, users):
    """Who besides the trusted users may write to an open folder: ("user", uid), ("group", gid), ("everyone", 0)."""
    others = set()
    if found.st_uid not in users:
        others.add(("user", found.st_uid))
    if found.st_mode & stat.S_IWGRP and (_has_acl(handle) or not _is_private(found.st_gid, users)):
        others.add(("group", found.st_gid))
    if found.st_mode & stat.S_IWOTH:
        others.add(("everyone", 0))
    return others


def _has_acl(handle):
    """With an ACL, the group's bits are the mask of all who are named in it."""
    try:
        return ACL in os.listxattr(handle)
    except (OSError, AttributeError):
        return False


def _is_private(gid, users):
    """Whether a group is root's, or that of one trusted user alone, as many systems give to each user."""
    try:
        group = grp.getgrgid(gid)
        trusted = [pwd.getpwuid(uid) for uid in users]
    except KeyError:
        return False
    if any(name not in {user.pw_name for user in trusted} for name in group.gr_mem):
        return False
    return gid == 0 or any((user.pw_gid, user.pw_name) == (gid, group.gr_name) for user in trusted)


def can_rename(handle, found, users):
    """The strangers who can rename what others own in a folder; none where it is sticky and a trusted user's.

    A user who is no root and shares a folder with a group of theirs has chosen to: it is not held against that group.
    """
    if found.st_mode & stat.S_ISVTX and found.st_uid in users:
        return set()
    ours = set() if os.geteuid() == 0 else {os.getegid(), *os.getgroups()}
    return {(what, number) for what, number in strangers(handle, found, users) if what != "group" or number not in ours}


def controls(stranger, found):
    """Whether a stranger could do to this directory what we may be led to do to it."""
    what, number = stranger
    if found.st_mode & stat.S_IWOTH:
        return True
    if what == "user":
        return found.st_uid == number
    return what == "group" and found.st_gid == number and bool(found.st_mode & stat.S_IWGRP)


def words(others):
    """The strangers as a text: `user 1000 and everyone`."""
    return " and ".join("%s %d" % each if each[0] != "everyone" else "everyone" for each in sorted(others))
