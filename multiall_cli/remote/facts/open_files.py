"""The open files fact."""

from multiall_cli.remote.facts.sources import read_text


def open_files():
    """Return used: the share of the system-wide limit."""
    used, _, most = read_text("/proc/sys/fs/file-nr").split()
    return {"used": int(used) / int(most)}
