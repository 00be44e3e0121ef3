"""The reboot fact."""

import glob
import os


def reboot():
    """needed: whether a package asked for one (Debian), or the running kernel's modules are gone."""
    release = os.uname().release
    kernels = glob.glob("/lib/modules/*")
    return {
        "needed": os.path.exists("/run/reboot-required") or bool(kernels and "/lib/modules/" + release not in kernels)
    }
