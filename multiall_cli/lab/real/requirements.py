"""What a lab of real hosts needs of this machine."""

import os
import shutil
import sys

from multiall_cli.lab.errors import LabError

NEEDS = ("unshare", "nsenter", "ip", "sshd")


def check_requirements() -> None:
    """Errors: LabError that says what is missing for a lab here."""
    todo = "`multiall demo --keep` needs neither root nor Linux"
    if not sys.platform.startswith("linux"):
        raise LabError("lab", f"its hosts are made of Linux's namespaces, and this is {sys.platform}", todo)
    if os.geteuid() != 0:
        raise LabError("lab", "it needs root: namespaces, mounts and sshd", f"run it as root (sudo); {todo}")
    missing = [program for program in NEEDS if shutil.which(program, path=search_path()) is None]
    if missing:
        packages = {"ip": "iproute2", "sshd": "openssh-server"}
        install = " ".join(sorted({packages.get(program, "util-linux") for program in missing}))
        raise LabError("lab", f"{', '.join(missing)} is not installed", f"apt-get install {install}; {todo}")


def search_path() -> str:
    """Also where root's programs are: `su` alone does not say so."""
    return f"{os.environ.get('PATH') or os.defpath}:/usr/sbin:/sbin"
