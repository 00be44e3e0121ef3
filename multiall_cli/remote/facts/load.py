"""The load average fact."""

import os

from multiall_cli.remote.facts.sources import Unsupported


def load():
    """one, five, fifteen: the load averages for each processor."""
    try:
        found = os.getloadavg()  # psutil calls the same
    except OSError:
        raise Unsupported("its C library gets no load averages: where it runs Linux, mount /proc") from None
    one, five, fifteen = (each / (os.cpu_count() or 1) for each in found)
    return {"one": one, "five": five, "fifteen": fifteen}
