"""Requirements of a lab of real hosts."""

import os
import shutil
import sys

from multiall_cli.lab.errors import LabError

NEEDS = ("unshare", "nsenter", "ip", "sshd")


def check_requirements() -> None:
    """Raise LabError if this machine lacks something."""
    todo = "`multiall demo --keep` needs neither root nor Linux"
    if not sys.platform.startswith("linux"):
        raise LabError("lab", f"its hosts need Linux namespaces, and this is {sys.platform}", todo)
    if os.geteuid() != 0:
        raise LabError("lab", "it needs root: namespaces, mounts and sshd", f"run it as root (sudo); {todo}")
    missing = [program for program in NEEDS if shutil.which(program, path=search_path()) is None]
    if missing:
        packages = {"ip": "iproute2", "sshd": "openssh-server"}
        install = " ".join(sorted({packages.get(program, "util-linux") for program in missing}))
        raise LabError("lab", f"{', '.join(missing)} is not installed", f"apt-get install {install}; {todo}")


def search_path() -> str:
    """Return PATH with root's programs: plain `su` does not include them."""
    return f"{os.environ.get('PATH') or os.defpath}:/usr/sbin:/sbin"
