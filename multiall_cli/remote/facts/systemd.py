"""Unit properties from systemd."""

import os

from multiall_cli.remote.facts.sources import Unsupported, checked_output


def properties(unit, names):
    """Return properties of a unit. `names`: separated by commas."""
    if not os.path.isdir("/run/systemd/system"):
        raise Unsupported("the server does not run systemd")
    values = checked_output(["systemctl", "show", "-p", names, "--", unit])
    return dict(line.split("=", 1) for line in values.splitlines() if "=" in line)


BROKEN = ("error", "bad-setting")
LOADED = ("loaded", "merged", "masked") + BROKEN
