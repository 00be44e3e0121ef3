"""Puts entries in place and takes them out, without losing a version that another program put there meanwhile.

The old entry comes out in the moment in which the new one goes in. If it is not the observed one, it is put back.
"""

import errno
import os
import stat

from multiall_cli.remote.formats.transfer import BLOCK
from multiall_cli.remote.ops import content, renameat2
from multiall_cli.remote.ops.dirfd import STAGING_PREFIX
from multiall_cli.remote.ops.scan import read_xattrs
from multiall_cli.remote.ops.staging import WRITE, Stale, set_xattrs, write_all

MAX_SWAPS = 1000  # that a writer can win against us, before its version is left in the stage


def signature(found):
    """Return all that must be unchanged since the look just before, except the change time, which a rename sets."""
    return (found.st_ino, found.st_size, found.st_mtime_ns, found.st_mode, found.st_uid, found.st_gid)


def lstat(folder, name):
    return os.stat(name, dir_fd=folder, follow_symlinks=False)


def install(stage, staged, parent, name, old):
    """Put a staged thing in its place, across a mount within the tree if need be.

    `old`: the stat of the entry to replace, None for a new path. Afterwards the old entry is in the stage, under the
    same name. Raises Stale, FileExistsError or OSError; then nothing has changed.
    """
    try:
        if old is None:
            _install_new(stage, staged, parent, name)
        else:
            _replace(stage, staged, parent, name, old)
    except OSError as fault:
        if fault.errno != errno.EXDEV:
            raise
        temporary = _copy_across_mount(stage, staged, parent, name)
        try:
            install(parent, temporary, parent, name, old)
        finally:
            unlink_if_present(parent, temporary)  # on that file system there is nothing to keep it in
        os.unlink(staged, dir_fd=stage)


def _install_new(stage, staged, parent, name):
    """Put an entry at a path that is free. Raises FileExistsError if it is not."""
    if renameat2.rename_noreplace(stage, staged, parent, name):
        return
    try:
        os.link(staged, name, src_dir_fd=stage, dst_dir_fd=parent, follow_symlinks=False)
    except OSError as fault:
        if fault.errno not in (errno.EPERM, errno.EOPNOTSUPP, errno.EMLINK):
            raise
        if name in (os.fsencode(there) for there in os.listdir(parent)):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))
        os.replace(staged, name, src_dir_fd=stage, dst_dir_fd=parent)
        return
    os.unlink(staged, dir_fd=stage)


def _replace(stage, staged, parent, name, old):
    ours = lstat(stage, staged).st_ino
    if not renameat2.exchange(stage, staged, parent, name):
        _replace_without_exchange(stage, staged, parent, name, old)
    elif signature(lstat(stage, staged)) != signature(old):
        _restore(stage, staged, parent, name, ours)
        raise Stale()


def _restore(stage, staged, parent, name, placed):
    """Give a place back what came out of it. What comes out now must be what we had put in: else that is newer yet."""
    for _ in range(MAX_SWAPS):
        back = lstat(stage, staged).st_ino
        try:
            renameat2.exchange(stage, staged, parent, name)
        except FileNotFoundError:  # whoever came after it deleted the name
            return
        if lstat(stage, staged).st_ino == placed:
            return
        placed = back


def _replace_without_exchange(stage, staged, parent, name, old):
    """Where two names cannot be exchanged: the old one is linked into the stage first, so that it at least is there.

    What is put there between the look and the rename is lost: `doctor` says so of such a file system.
    """
    aside = b"part-old-" + staged
    unlink_if_present(stage, aside)
    try:
        os.link(name, aside, src_dir_fd=parent, dst_dir_fd=stage, follow_symlinks=False)
    except OSError as fault:
        if fault.errno not in (errno.EPERM, errno.EOPNOTSUPP, errno.EMLINK, errno.ENOSYS):
            raise
        aside = None
    if signature(lstat(parent, name)) != signature(old):
        unlink_if_present(stage, aside)
        raise Stale()
    os.replace(staged, name, src_dir_fd=stage, dst_dir_fd=parent)
    unlink_if_present(stage, staged)  # still there where both were names of one file already
    if aside is not None:
        os.rename(aside, staged, src_dir_fd=stage, dst_dir_fd=stage)


def move_aside(parent, name, folder, aside, old):
    """Move a thing out of its place to `aside`. Errors: Stale where it is not `old`, with it back in its place."""
    os.rename(name, aside, src_dir_fd=parent, dst_dir_fd=folder)
    if signature(lstat(folder, aside)) == signature(old):
        return
    try:
        if not renameat2.rename_noreplace(folder, aside, parent, name):
            _install_new(folder, aside, parent, name)
    except FileExistsError:
        raise Stale("something else was put there meanwhile; what was there before is kept with what is deleted")
    raise Stale()


def unlink_if_present(folder, name):
    """Remove a file of ours, if it is still there."""
    if name is None:
        return
    try:
        os.unlink(name, dir_fd=folder)
    except FileNotFoundError:
        pass


def temporary_name(parent, name):
    """A free name beside a path, for what cannot be made in the stage; what a cut-off run left there is removed."""
    temporary = STAGING_PREFIX + name[:200]
    unlink_if_present(parent, temporary)
    return temporary


def _copy_across_mount(stage, staged, parent, name):
    """Another file system is mounted within the tree: a whole copy of what is staged, on that one. Its name."""
    temporary = temporary_name(parent, name)
    found = os.stat(staged, dir_fd=stage, follow_symlinks=False)
    try:
        if stat.S_ISLNK(found.st_mode):
            os.symlink(os.readlink(staged, dir_fd=stage), temporary, dir_fd=parent)
            if os.geteuid() == 0:
                os.chown(temporary, found.st_uid, found.st_gid, dir_fd=parent, follow_symlinks=False)
            times = (found.st_mtime_ns, found.st_mtime_ns)
            os.utime(temporary, ns=times, dir_fd=parent, follow_symlinks=False)
        else:
            _copy_file(stage, staged, parent, temporary, found)
    except BaseException:
        unlink_if_present(parent, temporary)
        raise
    return temporary


def _copy_file(stage, staged, parent, temporary, found):
    """With all that it is dressed in. Never through what someone else put there: the file is new."""
    source = os.open(staged, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=stage)
    try:
        target = os.open(temporary, WRITE, 0o600, dir_fd=parent)
        try:
            for number, block in content.iter_blocks(source):
                if not content.is_hole(source, found, number):
                    os.lseek(target, number * BLOCK, os.SEEK_SET)
                    write_all(target, block)
            os.ftruncate(target, found.st_size)
            if os.geteuid() == 0:
                os.fchown(target, found.st_uid, found.st_gid)
            os.fchmod(target, stat.S_IMODE(found.st_mode))
            set_xattrs(target, read_xattrs(source))
            os.utime(target, ns=(found.st_mtime_ns, found.st_mtime_ns))
            os.fsync(target)
        finally:
            os.close(target)
    finally:
        os.close(source)
