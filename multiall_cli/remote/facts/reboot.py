"""The reboot fact."""

import glob
import os


def reboot():
    """Return needed: a package asked for a reboot (Debian), or the modules of the running kernel are gone."""
    release = os.uname().release
    kernels = glob.glob("/lib/modules/*")
    return {
        "needed": os.path.exists("/run/reboot-required") or bool(kernels and "/lib/modules/" + release not in kernels)
    }
