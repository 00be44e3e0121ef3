"""The log fact: new lines of a log file that may be rotated."""

import glob
import hashlib
import os
import re
import stat

from multiall_cli.remote.facts.sources import CollectError

MAX_READ = 1 << 24  # bytes of a log per reading; the next one goes on there
FINGERPRINT_BYTES = 256  # bytes before a position that identify it
_FAR_FUTURE = 1 << 62  # later than any mtime
_COMPRESSED = (".gz", ".xz", ".bz2", ".zst", ".lz4", ".Z")
_ROTATED = "[.-](?:[0-9][0-9.:T_-]*|old)(?:[.][A-Za-z0-9]+)?"


def log(path, pattern, mark=None):
    """Return present, count (new lines that match) and gap (some lines may be missing).

    The log may have been rotated since the last reading. gap: the file that was read then is gone.
    """
    pattern_bytes = re.compile(pattern.encode("utf-8"))
    try:
        found = os.stat(path)
    except FileNotFoundError:
        # Its last lines are read once there is a new file.
        none = {"inode": 0, "at": 0, "print": _fingerprint(b""), "newest": _newest_rotation(path)}
        return {"present": False}, mark if _is_mark(mark) else none
    if not stat.S_ISREG(found.st_mode):
        raise CollectError("it is not a regular file")
    with open(path, "rb") as file:
        if not _is_mark(mark):
            return {"present": True}, _mark(file, os.fstat(file.fileno()).st_size, path)
        older, begins, gap = _unread_files(path, file, mark)
        count, left, old = 0, MAX_READ, mark.get("old")
        for each, at in older:
            more, rest, old = _count_rotated(each, at, pattern_bytes, left)
            count, left = count + more, left - (old["at"] - at if old else 0)
            if rest is not None:  # more than one reading takes
                values = {"present": True, "count": count, "gap": gap}
                return values, dict(rest, newest=mark.get("newest", _FAR_FUTURE), file=each)
        more, at = _count_lines(file, begins, pattern_bytes, left)
        made = _mark(file, at, path)
        return {"present": True, "count": count + more, "gap": gap}, dict(made, old=old) if old else made


def _is_mark(mark):
    if not isinstance(mark, dict) or not isinstance(mark.get("newest", 0), int):
        return False
    return isinstance(mark.get("inode"), int) and isinstance(mark.get("at"), int) and mark["at"] >= 0


def _fingerprint(piece):
    return hashlib.sha256(piece).hexdigest()[:16]


def _fingerprint_at(file, at):
    """Return the fingerprint of the bytes before a position."""
    start = max(0, at - FINGERPRINT_BYTES)
    file.seek(start)
    return _fingerprint(file.read(at - start))


def _mark(file, at, path=None):
    """Return the mark of a position.

    newest: when the newest rotated file was written; file: the target of a symbolic link.
    """
    made = {"inode": os.fstat(file.fileno()).st_ino, "at": at, "print": _fingerprint_at(file, at)}
    if path is not None:
        made["newest"] = _newest_rotation(path)
        if os.path.islink(path):
            made["file"] = os.path.realpath(path)
    return made


def _is_same_file(file, mark):
    """Return whether it is the file of the mark. Inode numbers are reused, and files are rewritten."""
    found = os.fstat(file.fileno())
    return found.st_ino == mark["inode"] and _has_content(file, mark)


def _has_content(file, mark):
    """Return whether the content before the mark is unchanged."""
    size = os.fstat(file.fileno()).st_size
    return size >= mark["at"] and _fingerprint_at(file, mark["at"]) == mark.get("print")


def _rotated_candidates(path):
    """Return (mtime, path, is named like a rotated log), oldest first."""
    folder, name = os.path.split(path)
    stem, extension = os.path.splitext(name)
    plain = re.compile(re.escape(name) + _ROTATED)
    dated = re.compile(re.escape(stem) + _ROTATED + re.escape(extension) + "(?:[.][A-Za-z0-9]+)?")
    found = []
    for each in glob.glob(glob.escape(os.path.join(folder, stem)) + "*"):
        own = os.path.basename(each)
        rotated = bool(plain.fullmatch(own) or (extension and dated.fullmatch(own)))
        if own == name or not (rotated or own.startswith((name + ".", name + "-"))):
            continue
        try:
            about = os.stat(each)
        except OSError:
            continue  # it was rotated meanwhile
        if stat.S_ISREG(about.st_mode):
            found.append((about.st_mtime_ns, each, rotated))
    return sorted(found)


def _newest_rotation(path):
    return max((changed for changed, _, rotated in _rotated_candidates(path) if rotated), default=0)


def _unread_files(path, file, mark):
    """Return ([(path, position), ...], position in this file, gap): files with unread lines, oldest first.

    A log may be renamed, or copied and truncated, and more than once between two readings.
    """
    siblings = _rotated_candidates(path)
    newest = mark.get("newest", _FAR_FUTURE)
    later = [(changed, name) for changed, name, rotated in siblings if rotated and changed > newest]
    if _is_same_file(file, mark) and not any(_is_copy(name, file, mark) for _, name in later):
        older = later if mark["at"] == 0 else []  # an empty file has no fingerprint, so it may be a new one
        return (
            [(name, _read_position(name, mark)) for _, name in older],
            mark["at"],
            any(_is_compressed(name) for _, name in older),
        )
    places = [(newest, mark["file"])] if isinstance(mark.get("file"), str) else []
    places += [(changed, name) for changed, name, _ in siblings]
    copies = [each for each in places if each[0] >= mark.get("newest", 0)] if mark["at"] else []
    found = next((each for each in places if _file_matches(each[1], _is_same_file, mark)), None)
    found = found or next((each for each in copies if _file_matches(each[1], _has_content, mark)), None)
    if found is not None:
        later = [each for each in later if each[0] > found[0] and each[1] != found[1]]
    gap = (found is None and mark["at"] > 0) or any(_is_compressed(name) for _, name in later)
    first = [(found[1], mark["at"])] if found is not None else []
    return first + [(name, 0) for _, name in later], 0, gap


def _read_position(name, mark):
    """Return how far a rotated file was read: a program may go on writing to it."""
    old = mark.get("old")
    return old["at"] if _is_mark(old) and _file_matches(name, _is_same_file, old) else 0


def _is_copy(name, file, mark):
    """Return whether a file is a copy of this one from before it was truncated."""
    try:
        with open(name, "rb") as copy:
            if mark["at"] == 0 or not _has_content(copy, mark):
                return False
            end = os.fstat(copy.fileno()).st_size
            return not _has_content(file, {"at": end, "print": _fingerprint_at(copy, end)})
    except OSError:
        return False


def _is_compressed(name):
    return name.endswith(_COMPRESSED)


def _file_matches(name, same, mark):
    try:
        with open(name, "rb") as file:
            return same(file, mark)
    except OSError:
        return False


def _count_rotated(name, at, pattern_bytes, most):
    """Return (matching lines, mark if more is left, mark of what was read) of a rotated file."""
    if _is_compressed(name):
        return 0, None, None
    try:
        with open(name, "rb") as file:
            count, end = _count_lines(file, at, pattern_bytes, most)
            size = os.fstat(file.fileno()).st_size
            if size - at > most:
                return count, _mark(file, end), _mark(file, end)
            file.seek(end)
            last = file.read(max(0, size - end))  # a line without an end, and new lines
            found = sum(1 for line in last.split(b"\n") if line and pattern_bytes.search(line))
            return count + found, None, _mark(file, end + len(last))
    except FileNotFoundError:
        return 0, None, None  # it was rotated meanwhile


def _count_lines(file, at, pattern_bytes, most):
    """Return (matching lines, end of the last whole line), of at most `most` bytes from a position on."""
    file.seek(at)
    count, rest, left = 0, b"", most
    while left > 0:
        piece = file.read(min(left, 1 << 20))
        if not piece:
            break
        left -= len(piece)
        lines = (rest + piece).split(b"\n")
        rest = lines.pop()
        count += sum(1 for line in lines if pattern_bytes.search(line))
    if left <= 0 and len(rest) == most > 0:  # a single endless line: skip it
        return count + bool(pattern_bytes.search(rest)), at + most
    return count, at + (most - left) - len(rest)
