"""Installs and removes entries without losing a version that another program writes at the same time.

The old entry comes out in the same moment as the new one goes in. If it is not the observed one, it is put back.
"""

import errno
import os
import stat

from multiall_cli.remote.formats.transfer import BLOCK
from multiall_cli.remote.ops import content, renameat2
from multiall_cli.remote.ops.dirfd import STAGING_PREFIX
from multiall_cli.remote.ops.scan import read_xattrs
from multiall_cli.remote.ops.staging import WRITE, Stale, set_xattrs, write_all

MAX_SWAPS = 1000  # lost races against a writer, before its version stays in the stage


def signature(found):
    """Return what must be unchanged since the check; not the ctime, which a rename sets."""
    return (found.st_ino, found.st_size, found.st_mtime_ns, found.st_mode, found.st_uid, found.st_gid)


def lstat(folder, name):
    return os.stat(name, dir_fd=folder, follow_symlinks=False)


def install(stage, staged, parent, name, old):
    """Install a staged entry, also across a mount within the tree.

    `old`: the stat of the entry to replace, None for a new path. Afterwards the old entry is in the stage under the
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
            unlink_if_present(parent, temporary)  # no trash on that file system
        os.unlink(staged, dir_fd=stage)


def _install_new(stage, staged, parent, name):
    """Install an entry at a free path. Raises FileExistsError."""
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
        restore(stage, staged, parent, name, ours)
        raise Stale()


def restore(stage, staged, parent, name, placed):
    """Put back what came out. If what comes out now is not what we had put in, it is newer: swap again."""
    for _ in range(MAX_SWAPS):
        back = lstat(stage, staged).st_ino
        try:
            renameat2.exchange(stage, staged, parent, name)
        except FileNotFoundError:  # another program deleted the name
            return
        if lstat(stage, staged).st_ino == placed:
            return
        placed = back


def _replace_without_exchange(stage, staged, parent, name, old):
    """Replace an entry where two names cannot be exchanged.

    A version written between the check and the rename is lost; `doctor` reports such file systems.
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
    unlink_if_present(stage, staged)  # still there if both were hard links of one file
    if aside is not None:
        os.rename(aside, staged, src_dir_fd=stage, dst_dir_fd=stage)


def move_aside(parent, name, folder, aside, old):
    """Move an entry to `aside`. Raises Stale if it is not `old`; then it is back in its place."""
    os.rename(name, aside, src_dir_fd=parent, dst_dir_fd=folder)
    if signature(lstat(folder, aside)) == signature(old):
        return
    try:
        if not renameat2.rename_noreplace(folder, aside, parent, name):
            _install_new(folder, aside, parent, name)
    except FileExistsError:
        raise Stale("another entry was created there meanwhile; the earlier one is in the trash")
    raise Stale()


def unlink_if_present(folder, name):
    """Remove a temporary file, if it exists."""
    if name is None:
        return
    try:
        os.unlink(name, dir_fd=folder)
    except FileNotFoundError:
        pass


def temporary_name(parent, name):
    """Return a name beside a path, for files that cannot be staged. Leftovers of an interrupted run are removed."""
    temporary = STAGING_PREFIX + name[:200]
    unlink_if_present(parent, temporary)
    return temporary


def _copy_across_mount(stage, staged, parent, name):
    """Copy a staged entry to another file system within the tree; return its name there."""
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
    """Copy content and attributes to a new file: never into one that another program created."""
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
