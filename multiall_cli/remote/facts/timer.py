"""The timer fact."""

import calendar
import re
import time

from multiall_cli.remote.facts.systemd import LOADED, properties


def timer(name):
    """Return present, running and last: seconds since the timer last started its unit, if it ever did."""
    unit = name if name.endswith(".timer") else name + ".timer"
    return timer_values(properties(unit, "LoadState,ActiveState,LastTriggerUSec"), time.time())


def timer_values(found, now):
    """Return the values of a timer from its properties in systemd."""
    values = {"present": found.get("LoadState") in LOADED, "running": found.get("ActiveState") == "active"}
    when = re.match(r"(?:\w+ )?(\d+)-(\d+)-(\d+) (\d+):(\d+):(\d+)(?:\.\d+)? UTC$", found.get("LastTriggerUSec", ""))
    if when is not None:
        values["last"] = max(0.0, now - calendar.timegm(tuple(int(each) for each in when.groups()) + (0, 0, 0)))
    return values
