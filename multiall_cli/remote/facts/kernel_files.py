"""Files of the kernel that collectors read, and what is known of psutil, which is asked where one is missing."""

import os

KERNEL = {
    "process": ("/proc/self/stat", "/proc/uptime", "/proc/sys/kernel/random/boot_id"),
    "zombies": ("/proc/self/stat",),
    "cpu": ("/proc/stat", "/proc/sys/kernel/random/boot_id"),
    "memory": ("/proc/meminfo",),
    "uptime": ("/proc/uptime",),
    "mount": ("/proc/self/mounts",),
    "port": ("/proc/net/tcp",),
    "interface": ("/sys/class/net", "/proc/sys/kernel/random/boot_id"),
    "oom": ("/proc/vmstat", "/proc/sys/kernel/random/boot_id"),
    "pressure": ("/proc/pressure",),
    "open_files": ("/proc/sys/fs/file-nr",),
    "sysctl": ("/proc/sys/kernel",),
    "module": ("/proc/modules",),
    "route": ("/proc/net/route",),
    "raid": ("/proc/self",),  # without arrays, /proc has no mdstat
}
"""What each gauge reads of the kernel: where a file is missing, what another one tells is of no use."""

PSUTIL = {"folder": "", "proc": ""}


def psutil_is_at(folder, proc):
    """The admin host knows where its own psutil is, and where that has been told to find /proc ('': where it is)."""
    PSUTIL.update(folder=folder, proc=proc)


def missing(name):
    """The first file that a collector needs and that is not there, or ''."""
    return next((path for path in KERNEL.get(name, ()) if not os.path.exists(path)), "")
