"""Linux system calls for namespaces and mounts that Python 3.11 lacks."""

import ctypes
import os
from collections.abc import Callable
from pathlib import Path

NEWTIME, NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWPID, NEWNET = (
    0x80, 0x20000, 0x2000000, 0x4000000, 0x8000000, 0x20000000, 0x40000000,
)  # fmt: skip
READ_ONLY, NOSUID, NODEV, NOEXEC, REMOUNT, BIND, REC, PRIVATE = 1, 2, 4, 8, 32, 4096, 16384, 1 << 18
DETACH = 2
_PR_CAPBSET_DROP = 24
_MACHINE_RIGHTS = (16, 17, 25, 27, 30, 34, 35, 36, 37, 38)
"""MODULE RAWIO TIME MKNOD AUDIT_CONTROL SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON: capabilities over the
machine, not over a host: its clock, its modules, its disks."""
_PIVOT_ROOT = {"x86_64": 155, "aarch64": 41, "riscv64": 41}
_libc = ctypes.CDLL(None, use_errno=True)


def mount(source: str | None, target: str, kind: str | None = None, flags: int = 0, data: str = "") -> None:
    words = [None if word is None else os.fsencode(word) for word in (source, target, kind)]
    _check(f"mount {target}", _libc.mount(*words, ctypes.c_ulong(flags), os.fsencode(data)))


def unmount(target: str) -> None:
    """Detach at once; the file system ends with its last user."""
    _check(f"umount {target}", _libc.umount2(os.fsencode(target), DETACH))


def unshare(flags: int) -> None:
    _check("unshare", _libc.unshare(flags))


def enter(namespace: int) -> None:
    """Join a namespace by its descriptor. Raises OSError."""
    _check("setns", _libc.setns(namespace, 0))


def change_root(new: str) -> None:
    """Make `new` the root of this mount namespace, and unmount everything else."""
    os.chdir(new)
    number = _PIVOT_ROOT[os.uname().machine]
    _check(f"pivot_root {new}", _libc.syscall(number, b".", b"."))
    unmount(".")
    os.chdir("/")


def drop_machine_rights() -> None:
    """Drop them for this process and everything that it starts; effective after exec."""
    for right in _MACHINE_RIGHTS:
        _libc.prctl(_PR_CAPBSET_DROP, right, 0, 0, 0)


def child(work: Callable[[], object]) -> int:
    """Run `work` in a forked child; return its pid. If it fails, it prints the error and exits with 1."""
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        work()
        code = 0
    except BaseException as fault:  # noqa: BLE001  (whatever it is, the parent's code must not run twice)
        os.write(2, f"{type(fault).__name__}: {fault}\n".encode())
    finally:
        os._exit(code)


def in_network_of(pid: int, work: Callable[[], object]) -> None:
    """Run `work` in a child in the network namespace of a process. Raises OSError."""

    def there() -> None:
        handle = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY)
        enter(handle)
        work()

    if os.waitstatus_to_exitcode(os.waitpid(child(there), 0)[1]):
        raise OSError(f"the network of process {pid} cannot be changed")


def has_time_namespaces() -> bool:
    return Path("/proc/self/ns/time").exists()


def _check(what: str, result: int) -> None:
    if result:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
