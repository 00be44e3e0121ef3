"""The kernel module fact."""

import os

from multiall_cli.remote.facts.sources import read_text


def module(name):
    """Return present: whether the module is loaded or built in."""
    loaded = {line.split(" ", 1)[0] for line in read_text("/proc/modules").splitlines()}
    return {"present": name.replace("-", "_") in loaded or os.path.isdir("/sys/module/" + name.replace("-", "_"))}
