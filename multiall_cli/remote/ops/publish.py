"""Writes one small file atomically."""

import errno
import os

from multiall_cli.remote.ops import trust
from multiall_cli.remote.ops.dirfd import make_directory, to_bytes
from multiall_cli.remote.refusal import Refusal

MAX_BYTES = 1 << 26  # bytes


def publish(request, path):
    """Write the payload to the file `path`, readable for everyone. Creates its folder if it is missing."""
    if not os.path.isabs(path):
        raise Refusal("%s is not an absolute path" % path, "name a path from /")
    pieces, size = [], 0
    for piece in request.payload():
        pieces.append(piece)
        size += len(piece)
        if size > MAX_BYTES:
            raise Refusal("%s would be larger than %d bytes" % (path, MAX_BYTES), "publish less")
    folder, name = os.path.split(to_bytes(path))
    holder = make_directory(folder, world_readable=True)
    try:
        _check_folder(holder, folder)
        _write(holder, os.path.join(folder, name), pieces)
    finally:
        os.close(holder)
    return {"bytes": size}


def _check_folder(holder, folder):
    """Raise Refusal if other users can write to the folder: they could replace the file."""
    others = trust.can_rename(holder, os.fstat(holder), trust.trusted_users())
    if others:
        words = "%s can write to %s" % (trust.describe(others), os.fsdecode(folder))
        raise Refusal(words, "publish into a folder of its own, such as /var/lib/multiall")


def _write(holder, path, pieces):
    name = os.path.basename(path)
    aside = b".%s.%d" % (name, os.getpid())
    try:
        with open(_create(holder, aside), "wb") as file:
            for piece in pieces:
                file.write(piece)
            file.flush()
            os.fsync(file.fileno())
        os.rename(aside, name, src_dir_fd=holder, dst_dir_fd=holder)
    except OSError as fault:
        _remove(holder, aside)
        raise OSError(fault.errno, os.strerror(fault.errno or errno.EIO), os.fsdecode(path))
    os.fsync(holder)


def _create(holder, name):
    """Create a temporary file. A leftover of an earlier process with this number is removed."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    try:
        made = os.open(name, flags, 0o644, dir_fd=holder)
    except OSError as fault:
        if fault.errno != errno.EEXIST:
            raise
        os.unlink(name, dir_fd=holder)
        made = os.open(name, flags, 0o644, dir_fd=holder)
    os.fchmod(made, 0o644)
    return made


def _remove(holder, name):
    try:
        os.unlink(name, dir_fd=holder)
    except OSError:
        return
