"""Puts a finished thing in its place: by one rename, and what is new never over what someone else put there."""

import errno
import os
import stat

from multiall_cli.remote import content
from multiall_cli.remote.handles import WORKSHOP
from multiall_cli.remote.scan import read_xattrs
from multiall_cli.remote.staging import WRITE, set_xattrs, write_all


def rename_into(stage, staged, parent, name, replace):
    """Put a staged thing in its place at once, across a mount within the tree if need be."""
    try:
        if replace:
            os.replace(staged, name, src_dir_fd=stage, dst_dir_fd=parent)
        else:
            _put_new(stage, staged, parent, name)
    except OSError as fault:
        if fault.errno != errno.EXDEV:
            raise
        beside = _copy_beside(stage, staged, parent, name)
        try:
            rename_into(parent, beside, parent, name, replace)
        except BaseException:
            discard(parent, beside)
            raise
        os.unlink(staged, dir_fd=stage)


def _put_new(stage, staged, parent, name):
    """What is new never overwrites: a link fails where a rename would not."""
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


def discard(folder, name):
    """Remove a file of ours, if it is still there."""
    try:
        os.unlink(name, dir_fd=folder)
    except FileNotFoundError:
        pass


def name_beside(parent, name):
    """A free name beside a path, for what cannot be made in the stage; what a cut-off run left there is removed."""
    beside = WORKSHOP + name[:200]
    discard(parent, beside)
    return beside


def _copy_beside(stage, staged, parent, name):
    """Another file system is mounted within the tree: a whole copy of what is staged, on that one. Its name."""
    beside = name_beside(parent, name)
    found = os.stat(staged, dir_fd=stage, follow_symlinks=False)
    try:
        if stat.S_ISLNK(found.st_mode):
            os.symlink(os.readlink(staged, dir_fd=stage), beside, dir_fd=parent)
            if os.geteuid() == 0:
                os.chown(beside, found.st_uid, found.st_gid, dir_fd=parent, follow_symlinks=False)
            times = (found.st_mtime_ns, found.st_mtime_ns)
            os.utime(beside, ns=times, dir_fd=parent, follow_symlinks=False)
        else:
            _copy_file(stage, staged, parent, beside, found)
    except BaseException:
        discard(parent, beside)
        raise
    return beside


def _copy_file(stage, staged, parent, beside, found):
    """With all that it is dressed in. Never through what someone else put there: the file is new."""
    source = os.open(staged, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=stage)
    try:
        target = os.open(beside, WRITE, 0o600, dir_fd=parent)
        try:
            for _, block in content.blocks_of(source):
                write_all(target, block)
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
