"""The group fact."""

import grp


def group(name):
    """Return present, gid and members."""
    try:
        found = grp.getgrnam(name)
    except KeyError:
        return {"present": False}
    return {"present": True, "gid": found.gr_gid, "members": sorted(found.gr_mem)}
