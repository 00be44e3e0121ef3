"""Renames that lose nothing, by renameat2 of Linux: exchange two names, or never replace one."""

import errno
import functools
import os
import platform
import struct

NOREPLACE, EXCHANGE = 1, 2
NUMBERS = {
    "x86_64": 316,
    "aarch64": 276,
    "riscv64": 276,
    "ppc64le": 357,
    "s390x": 347,
}  # of the system call, by machine
REFUSED = (errno.ENOSYS, errno.EINVAL, errno.EOPNOTSUPP)  # unsupported by the kernel or the file system


@functools.lru_cache(None)
def _function():
    """Return renameat2 as f(folder, name, folder, name, flags); None if there is none."""
    try:
        import ctypes

        library = ctypes.CDLL(None, use_errno=True)
    except (ImportError, OSError):
        return None
    if platform.system() != "Linux":
        return None
    if hasattr(library, "renameat2"):  # glibc 2.28 and newer
        return library.renameat2
    number = NUMBERS.get(platform.machine())
    if number is None or struct.calcsize("P") != 8:
        return None

    def by_number(old_folder, old, new_folder, new, flags):
        return library.syscall(ctypes.c_long(number), old_folder, old, new_folder, new, flags)

    return by_number


def _errno():
    import ctypes

    return ctypes.get_errno()


def _rename(flags, folder, name, other_folder, other):
    """Return whether renameat2 is supported here. Raises OSError if it is, but fails."""
    function = _function()
    if function is None:
        return False
    if function(folder, name, other_folder, other, flags) == 0:
        return True
    number = _errno()
    if number in REFUSED:
        return False
    raise OSError(number, os.strerror(number))


def can_exchange(folder):
    """Return whether two names in this open folder can be exchanged. Tries it in a temporary folder."""
    name = b".multiall-trial-%d" % os.getpid()
    os.mkdir(name, 0o700, dir_fd=folder)
    trial = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=folder)
    try:
        for each in (b"a", b"b"):
            os.close(os.open(each, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600, dir_fd=trial))
        return exchange(trial, b"a", trial, b"b")
    finally:
        for left in os.listdir(trial):
            os.unlink(left, dir_fd=trial)
        os.close(trial)
        os.rmdir(name, dir_fd=folder)


def exchange(folder, name, other_folder, other):
    """Exchange two names atomically. Returns False if the kernel or file system cannot."""
    return _rename(EXCHANGE, folder, name, other_folder, other)


def rename_noreplace(folder, name, other_folder, other):
    """Rename; raises FileExistsError if the new name exists. Returns False like `exchange`."""
    return _rename(NOREPLACE, folder, name, other_folder, other)
