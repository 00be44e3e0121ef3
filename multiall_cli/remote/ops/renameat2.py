"""Renames that lose nothing: two names exchanged at once, and a rename that never replaces (Linux: renameat2)."""

import errno
import functools
import os
import platform
import struct

NOREPLACE, EXCHANGE = 1, 2
NUMBERS = {"x86_64": 316, "aarch64": 276, "riscv64": 276, "ppc64le": 357, "s390x": 347}  # of the system call
REFUSED = (errno.ENOSYS, errno.EINVAL, errno.EOPNOTSUPP)  # by the kernel, or by the file system


@functools.lru_cache(None)
def _function():
    """renameat2 as (folder, name, folder, name, flags); None where there is none."""
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
    """Whether it could be done here. Errors: OSError for what went wrong where it can be done."""
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
    """Whether two names in this open folder can be exchanged; tried with two of our own in a folder of theirs."""
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
    """Exchange what two names stand for, at once. False where kernel or file system have no such thing."""
    return _rename(EXCHANGE, folder, name, other_folder, other)


def rename_noreplace(folder, name, other_folder, other):
    """Rename; FileExistsError where the other name is taken. False as for `exchange`."""
    return _rename(NOREPLACE, folder, name, other_folder, other)
