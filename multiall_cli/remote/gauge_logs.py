"""Gauges of logs: what came since the look before, counted."""

import errno
import glob
import hashlib
import json
import os
import re
import shutil
import stat

from multiall_cli.remote.gauge_sources import Trouble, Unsupported, failed, output

MOST = 1 << 24  # bytes of a log that are read at a look; the rest is read at the next one
_BEFORE = 256  # bytes before a place by which it is known again


def log(path, pattern, mark=None):
    """count: lines with the pattern that came since the look before, in a log that may have been rotated."""
    wanted = re.compile(pattern.encode("utf-8"))
    try:
        found = os.stat(path)
    except FileNotFoundError:
        # What was written before it was moved away is read when there is a new one.
        return {"present": False}, mark if _is_mark(mark) else {"inode": 0, "at": 0, "print": _print(b"")}
    if not stat.S_ISREG(found.st_mode):
        raise Trouble("it is no file")
    with open(path, "rb") as opened:
        found = os.fstat(opened.fileno())
        if not _is_mark(mark):
            return {"present": True}, _mark(opened, found.st_ino, found.st_size)
        if _goes_on(opened, found, mark):
            count, at = _counted(opened, mark["at"], wanted, MOST)
            return {"present": True, "count": count}, _mark(opened, found.st_ino, at)
        count, at, old = _rest(path, mark, wanted)
        if old is not None:  # more than one look reads
            return {"present": True, "count": count}, old
        more, at = _counted(opened, 0, wanted, MOST - at)
        return {"present": True, "count": count + more}, _mark(opened, found.st_ino, at)


def _is_mark(mark):
    return (
        isinstance(mark, dict)
        and isinstance(mark.get("inode"), int)
        and isinstance(mark.get("at"), int)
        and mark["at"] >= 0
    )


def _print(piece):
    return hashlib.sha256(piece).hexdigest()[:16]


def _mark(opened, inode, at):
    start = max(0, at - _BEFORE)
    opened.seek(start)
    return {"inode": inode, "at": at, "print": _print(opened.read(at - start))}


def _goes_on(opened, found, mark):
    """Whether it is the file of the mark: a number may be given to another file, and a file may be written anew."""
    if found.st_ino != mark["inode"] or found.st_size < mark["at"]:
        return False
    return _mark(opened, found.st_ino, mark["at"])["print"] == mark.get("print")


def _counted(opened, at, wanted, most):
    """(lines with the pattern, where the last whole line ends), of no more than `most` bytes from a place on."""
    opened.seek(at)
    count, rest, left = 0, b"", most
    while left > 0:
        piece = opened.read(min(left, 1 << 20))
        if not piece:
            break
        left -= len(piece)
        lines = (rest + piece).split(b"\n")
        rest = lines.pop()
        count += sum(1 for line in lines if wanted.search(line))
    if left <= 0 and len(rest) == most > 0:  # one line without an end: it must not be read for ever
        return count + bool(wanted.search(rest)), at + most
    return count, at + (most - left) - len(rest)


def _rest(path, mark, wanted):
    """(count, bytes read, mark) of what was left in the file that was moved away; no mark where that is all."""
    for each in glob.glob(glob.escape(path) + "[.-]*"):
        try:
            if os.stat(each).st_ino != mark["inode"] or not os.path.isfile(each):
                continue
            with open(each, "rb") as opened:
                found = os.fstat(opened.fileno())
                if _goes_on(opened, found, mark):
                    count, at = _counted(opened, mark["at"], wanted, MOST)
                    if at - mark["at"] >= MOST - (1 << 20) and found.st_size > at:
                        return count, at - mark["at"], _mark(opened, found.st_ino, at)
                    return count, at - mark["at"], None
        except FileNotFoundError:
            continue  # it was moved on just now
    return 0, 0, None


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
