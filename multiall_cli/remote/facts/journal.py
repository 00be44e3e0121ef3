"""The journal fact: new entries of systemd's journal."""

import errno
import json
import os
import re
import shutil

from multiall_cli.remote.facts.log import MOST
from multiall_cli.remote.facts.sources import Unsupported, failed, output

_LESS = ("not seeing messages from other users", "insufficient permissions")


def journal(pattern=None, priority=None, unit=None, mark=None):
    """count: entries of systemd's journal that came since the look before."""
    if shutil.which("journalctl") is None:
        raise Unsupported("it has no journalctl")
    _look()
    argv = ["journalctl", "--no-pager", "--all", "-o", "json"]
    if not isinstance(mark, dict) or not isinstance(mark.get("cursor"), str):
        return {}, {"cursor": entries(_asked(argv + ["-n", "1"]), None)[1]}
    argv += ["--after-cursor=" + mark["cursor"]] if mark["cursor"] else []
    argv += ["--priority=" + priority] if priority is not None else []
    argv += ["--unit=" + unit] if unit is not None else []
    count, cursor = entries(_asked(argv), pattern)
    return {"count": count}, {"cursor": cursor or mark["cursor"]}


def _look():
    """Whether all of the journal may be read. With JSON journalctl keeps that to itself."""
    _, _, complaints = output(["journalctl", "--no-pager", "-n", "1"])
    if any(each in complaints for each in _LESS):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), "journal")
    if "No journal files were found" in complaints:
        raise Unsupported("it keeps no journal")


def _asked(argv):
    code, told, complaints = output(argv, MOST, enough=True)
    if code:
        raise failed(argv, code, complaints)
    return told


def entries(text, pattern):
    """(how many, the place of the last one) in lines of JSON; '' where there is none. The last line may be cut off."""
    count, cursor = 0, ""
    for line in text.split("\n"):
        try:
            entry = json.loads(line)
        except ValueError:
            continue
        if not isinstance(entry, dict):
            continue
        cursor = entry.get("__CURSOR", cursor)
        if pattern is None or re.search(pattern, _message(entry.get("MESSAGE"))):
            count += 1
    return count, cursor


def _message(said):
    """Text; numbers of bytes where it is none; several where it was given more than once."""
    if isinstance(said, list):
        if all(isinstance(each, int) for each in said):
            return bytes(each & 255 for each in said).decode("utf-8", "replace")
        return "\n".join(_message(each) for each in said)
    return said if isinstance(said, str) else ""
