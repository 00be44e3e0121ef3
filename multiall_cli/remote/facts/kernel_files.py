"""Kernel files that collectors read, and the location of psutil, which replaces missing ones."""

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
    "raid": ("/proc/self",),  # /proc/mdstat is missing if there are no arrays
}
"""Fact → the kernel files that it needs, all of them."""

PSUTIL = {"folder": "", "proc": ""}


def psutil_is_at(folder, proc):
    """Set the folder of psutil, and its PROCFS_PATH ('' for the default). Only the admin host passes these."""
    PSUTIL.update(folder=folder, proc=proc)


def missing(name):
    """Return the first kernel file that a fact needs and that does not exist; '' if there is none."""
    return next((path for path in KERNEL.get(name, ()) if not os.path.exists(path)), "")
