"""The open files fact."""

from multiall_cli.remote.facts.sources import read


def open_files():
    used, _, most = read("/proc/sys/fs/file-nr").split()
    return {"used": int(used) / int(most)}
