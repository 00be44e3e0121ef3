"""The journal fact: new entries of systemd's journal."""

import errno
import json
import os
import re
import shutil

from multiall_cli.remote.facts.log import MAX_READ
from multiall_cli.remote.facts.sources import Unsupported, command_error, run

_RESTRICTED = ("not seeing messages from other users", "insufficient permissions")


def journal(pattern=None, priority=None, unit=None, mark=None):
    """Return count: new entries since the last reading."""
    if shutil.which("journalctl") is None:
        raise Unsupported("journalctl is not installed")
    _check_access()
    argv = ["journalctl", "--no-pager", "--all", "-o", "json"]
    if not isinstance(mark, dict) or not isinstance(mark.get("cursor"), str):
        return {}, {"cursor": count_entries(_run_journalctl(argv + ["-n", "1"]), None)[1]}
    argv += ["--after-cursor=" + mark["cursor"]] if mark["cursor"] else []
    argv += ["--priority=" + priority] if priority is not None else []
    argv += ["--unit=" + unit] if unit is not None else []
    count, cursor = count_entries(_run_journalctl(argv), pattern)
    return {"count": count}, {"cursor": cursor or mark["cursor"]}


def _check_access():
    """Raise PermissionError if this user cannot read the whole journal. With JSON output, journalctl does not say."""
    _, _, stderr = run(["journalctl", "--no-pager", "-n", "1"])
    if any(each in stderr for each in _RESTRICTED):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), "journal")
    if "No journal files were found" in stderr:
        raise Unsupported("it stores no journal")


def _run_journalctl(argv):
    code, stdout, stderr = run(argv, MAX_READ, enough=True)
    if code:
        raise command_error(argv, code, stderr)
    return stdout


def count_entries(text, pattern):
    """Return (matching entries, cursor of the last entry) in lines of JSON; the last line may be truncated."""
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


def _message(message):
    """Return a message as text. journalctl prints invalid UTF-8 as a list of bytes, and repeated fields as a list."""
    if isinstance(message, list):
        if all(isinstance(each, int) for each in message):
            return bytes(each & 255 for each in message).decode("utf-8", "replace")
        return "\n".join(_message(each) for each in message)
    return message if isinstance(message, str) else ""
