"""The load average fact."""

import os

from multiall_cli.remote.facts.sources import Unsupported


def load():
    """Return one, five, fifteen: load averages per processor."""
    try:
        found = os.getloadavg()  # psutil uses the same call
    except OSError:
        raise Unsupported("the C library has no load averages; on Linux, mount /proc") from None
    one, five, fifteen = (each / (os.cpu_count() or 1) for each in found)
    return {"one": one, "five": five, "fifteen": fifteen}
