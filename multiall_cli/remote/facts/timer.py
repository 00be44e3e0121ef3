"""The timer fact."""

import calendar
import re
import time

from multiall_cli.remote.facts.systemd import THERE, properties


def timer(name):
    """present, running, last: seconds since it started its unit, where it ever did."""
    unit = name if name.endswith(".timer") else name + ".timer"
    return timer_of(properties(unit, "LoadState,ActiveState,LastTriggerUSec"), time.time())


def timer_of(found, now):
    told = {"present": found.get("LoadState") in THERE, "running": found.get("ActiveState") == "active"}
    when = re.match(r"(?:\w+ )?(\d+)-(\d+)-(\d+) (\d+):(\d+):(\d+)(?:\.\d+)? UTC$", found.get("LastTriggerUSec", ""))
    if when is not None:
        told["last"] = max(0.0, now - calendar.timegm(tuple(int(each) for each in when.groups()) + (0, 0, 0)))
    return told
