"""Unit properties from systemd."""

import os

from multiall_cli.remote.facts.sources import Unsupported, of


def properties(unit, names):
    """What systemd says of a unit."""
    if not os.path.isdir("/run/systemd/system"):
        raise Unsupported("it does not run systemd")
    told = of(["systemctl", "show", "-p", names, "--", unit])
    return dict(line.split("=", 1) for line in told.splitlines() if "=" in line)


BROKEN = ("error", "bad-setting")
THERE = ("loaded", "merged", "masked") + BROKEN
