"""Decides which users could redirect a path.

A user with write access to a folder can rename every entry in it, even entries of other users. So a link counts only
if nobody but root and the session's user can have put it there, and a folder that others can write to leads only to
directories that those others control anyway.
"""

import grp
import os
import pwd
import stat
import struct

ACL = "system.posix_acl_access"
ENTRY = struct.Struct("<HHI")  # ACL entry: kind, permissions, id
VERSION = 4  # bytes before the first entry
NAMED_USER, OWN_GROUP, NAMED_GROUP, MASK = 2, 4, 8, 16
WRITES = 2
FIRST_OF_USERS = 1000  # lower group numbers belong to the system, and its own files list their members


def trusted_users():
    """Return root, the session's user, and the user who became root to run this program."""
    users = {0, os.geteuid()}
    if os.geteuid() == 0:
        users |= _callers()
    return users


def _callers():
    """Return the users who started this program through sudo or doas: they can do as root what it can."""
    number, name = os.environ.get("SUDO_UID", ""), os.environ.get("DOAS_USER", "")
    try:
        return ({int(number)} if number.isdigit() else set()) | ({pwd.getpwnam(name).pw_uid} if name else set())
    except KeyError:
        return set()


def writers(handle, found):
    """Return the accounts with write access to an open folder: ("user", uid), ("group", gid), ("everyone", 0)."""
    who = {("user", found.st_uid)}
    acl = _acl(handle)
    if acl is None and found.st_mode & stat.S_IWGRP:
        who.add(("group", found.st_gid))
    for tag, number in acl or ():
        who.add(("user", number) if tag == NAMED_USER else ("group", found.st_gid if tag == OWN_GROUP else number))
    if found.st_mode & stat.S_IWOTH:
        who.add(("everyone", 0))
    return who


def _acl(handle):
    """Return (kind, number) of each entry of an ACL that grants writing, except owner and everyone; None without ACL.

    With an ACL, the group's bits of the mode are the most that any of these has.
    """
    try:
        packed = os.getxattr(handle, ACL)
    except (OSError, AttributeError):
        return None
    entries = list(ENTRY.iter_unpack(packed[VERSION:]))
    most = next((rights for tag, rights, _ in entries if tag == MASK), WRITES)
    kinds = (NAMED_USER, OWN_GROUP, NAMED_GROUP)
    return [(tag, number) for tag, rights, number in entries if tag in kinds and rights & most & WRITES]


def strangers(handle, found, users):
    """Return the accounts other than trusted users that can write to an open folder."""
    return {each for each in writers(handle, found) if not _is_trusted(each, users)}


def _is_trusted(who, users):
    what, number = who
    return number in users if what == "user" else what == "group" and _is_private(number, users)


def _is_private(gid, users):
    """Return whether only trusted users are in a group: root's, an empty system group, or a user's own."""
    try:
        group = grp.getgrgid(gid)
        trusted = [pwd.getpwuid(uid) for uid in users]
    except KeyError:
        return False
    if any(name not in {user.pw_name for user in trusted} for name in group.gr_mem):
        return False
    if gid == 0:
        return True
    if gid < FIRST_OF_USERS:
        return not any(user.pw_gid == gid and user.pw_uid not in users for user in pwd.getpwall())
    return any((user.pw_gid, user.pw_name) == (gid, group.gr_name) for user in trusted)


def distrust_reason(link, handle, users):
    """Return the reason not to follow a link in an open folder: its owner, and the others who could have put it there.

    `link`: its stat; "" if only trusted users could. A sticky bit does not help: a user who has a link of root's in a
    folder of their own can move it into a sticky one.
    """
    others = strangers(handle, os.fstat(handle), users)
    if link.st_uid in users and not others:
        return ""
    return "user %d%s" % (link.st_uid, " in a folder that %s can write to" % describe(others) if others else "")


def can_rename(handle, found, users):
    """Return the strangers who can rename entries of others in a folder; none if it is sticky and a trusted user's.

    A session that is not root's trusts the groups of its own user with the folders that they share.
    """
    if found.st_mode & stat.S_ISVTX and found.st_uid in users:
        return set()
    ours = set() if os.geteuid() == 0 else {os.getegid(), *os.getgroups()}
    return {(what, number) for what, number in strangers(handle, found, users) if what != "group" or number not in ours}


def controls(stranger, handle, found):
    """Return whether a stranger has write access to this open directory anyway."""
    theirs = writers(handle, found)
    if stranger in theirs or ("everyone", 0) in theirs:
        return True
    what, number = stranger
    return what == "user" and any(_is_member(number, gid) for kind, gid in theirs if kind == "group")


def _is_member(uid, gid):
    try:
        user = pwd.getpwuid(uid)
        return user.pw_gid == gid or user.pw_name in grp.getgrgid(gid).gr_mem
    except KeyError:
        return False


def describe(others):
    """Return the strangers as text: `user 1000 and everyone`."""
    return " and ".join("%s %d" % each if each[0] != "everyone" else "everyone" for each in sorted(others))
