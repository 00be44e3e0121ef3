"""Resolves the symbolic links of a file name, if only trusted users can have created them."""

import os
import stat

from multiall_cli.remote.ops import trust
from multiall_cli.remote.ops.dirfd import MAX_LINKS, open_directory, root_identity, to_bytes, to_text
from multiall_cli.remote.refusal import Refusal


def resolve_link(request, path):
    """Return {"path"} of the file itself. Raises Refusal on an untrusted or dangling link."""
    list(request.payload())
    wanted = to_bytes(path)
    for _ in range(MAX_LINKS):
        folder, name = os.path.split(wanted)
        holder = open_directory(folder)
        try:
            real = _real_folder(holder, folder)
            target = _link_target(holder, real, name)
        finally:
            os.close(holder)
        if target is None:
            return {"path": to_text(os.path.join(real, name))}
        wanted = os.path.join(real, target)
    raise Refusal("%s has too many levels of symbolic links" % path, "name the file itself")


def _real_folder(holder, folder):
    """Return the path of an open folder without links."""
    real = os.path.realpath(folder)
    found = os.stat(real)
    if [found.st_dev, found.st_ino] != root_identity(holder):
        raise Refusal("%s was moved meanwhile" % to_text(folder), "run again")
    return real


def _link_target(holder, folder, name):
    """Return the target of a symbolic link; None for a regular file."""
    shown = to_text(os.path.join(folder, name))
    found = os.stat(name, dir_fd=holder, follow_symlinks=False)
    if stat.S_ISREG(found.st_mode):
        return None
    if not stat.S_ISLNK(found.st_mode):
        raise Refusal("%s is not a regular file" % shown, "name a file")
    target = os.readlink(name, dir_fd=holder)
    doubt = trust.distrust_reason(found, holder, trust.trusted_users())
    if doubt:
        raise Refusal(
            "%s is a link of %s, to %s; following it is not safe" % (shown, doubt, to_text(target)),
            "write its target in `zones:`",
        )
    return target
