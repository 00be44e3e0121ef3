"""The failed units fact."""

import os

from multiall_cli.remote.facts.sources import Unsupported, checked_output


def failed_units():
    """Return count and names."""
    if not os.path.isdir("/run/systemd/system"):
        raise Unsupported("the server does not run systemd")
    text = checked_output(["systemctl", "list-units", "--state=failed", "--plain", "--no-legend", "--no-pager"])
    names = [line.split()[0] for line in text.splitlines() if line.strip()]
    return {"count": len(names), "names": names}
