"""Puts one small file in its place, whole or not at all."""

import errno
import os

from multiall_cli.remote.loop import Refusal

MOST = 1 << 26  # bytes


def publish(exchange, path):
    """The payload as the file at `path`, for everyone to read; its folder is made where it is missing."""
    if not os.path.isabs(path):
        raise Refusal("%s does not begin with /" % path, "name a path from /")
    content = b"".join(exchange.payload())
    if len(content) > MOST:
        raise Refusal("%s would have more than %d bytes" % (path, MOST), "publish less")
    folder, name = os.path.split(path)
    os.makedirs(folder, mode=0o755, exist_ok=True)
    aside = os.path.join(folder, ".%s.%d" % (name, os.getpid()))
    try:
        with open(_new(aside), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.rename(aside, path)
    except OSError:
        _remove(aside)
        raise
    holder = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(holder)
    finally:
        os.close(holder)
    return {"bytes": len(content)}


def _new(path):
    """A file of ours alone; what a loop of this number left there before is in no one's use."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    try:
        made = os.open(path, flags, 0o644)
    except OSError as fault:
        if fault.errno != errno.EEXIST:
            raise
        os.unlink(path)
        made = os.open(path, flags, 0o644)
    os.fchmod(made, 0o644)
    return made


def _remove(path):
    try:
        os.unlink(path)
    except OSError:
        return
