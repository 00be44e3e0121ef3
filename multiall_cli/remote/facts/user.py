"""The account fact."""

import grp
import pwd
from functools import lru_cache


def user(name):
    """Return present, uid, home, shell and groups."""
    try:
        found = pwd.getpwnam(name)
    except KeyError:
        return {"present": False}
    groups = sorted({each.gr_name for each in _groups() if name in each.gr_mem or each.gr_gid == found.pw_gid})
    return {"present": True, "uid": found.pw_uid, "home": found.pw_dir, "shell": found.pw_shell, "groups": groups}


@lru_cache(maxsize=1)
def _groups():
    """Return all groups. Cached: each reading runs in its own process."""
    return grp.getgrall()
