"""Path patterns in the notation of .gitignore, the same on the admin host and on members.

`*.log` at any depth · `cache/` directories only · `/top` or `a/b` from the root · `**` across directories ·
`?` and `[a-z]` one character · `!keep.log` excludes an earlier match. The last matching pattern decides.
"""

import re

NEVER = b"(?!)"

_ASCII = [bytes([number]) for number in range(128)]
_CLASSES = {
    b"alnum": [sign for sign in _ASCII if sign.isalnum()],
    b"alpha": [sign for sign in _ASCII if sign.isalpha()],
    b"blank": [b" ", b"\t"],
    b"cntrl": [sign for sign in _ASCII if sign < b" " or sign == b"\x7f"],
    b"digit": [sign for sign in _ASCII if sign.isdigit()],
    b"graph": [sign for sign in _ASCII if b" " < sign < b"\x7f"],
    b"lower": [sign for sign in _ASCII if sign.islower()],
    b"print": [sign for sign in _ASCII if b" " <= sign < b"\x7f"],
    b"punct": [sign for sign in _ASCII if b" " < sign < b"\x7f" and not sign.isalnum()],
    b"space": [sign for sign in _ASCII if sign.isspace()],
    b"upper": [sign for sign in _ASCII if sign.isupper()],
    b"xdigit": [sign for sign in _ASCII if sign in b"0123456789abcdefABCDEF"],
}


def _sign(pattern, place):
    """Return (one character, next position); a backslash escapes the next character. b"" at the end."""
    if pattern[place : place + 1] == b"\\":
        place += 1
    return pattern[place : place + 1], place + 1


def _class(pattern, place):
    """Return (regular expression, next position) of a character class; NEVER if it is invalid."""
    members = set()  # type: set[bytes]
    last = b""
    place += 1
    negated = pattern[place : place + 1] in (b"!", b"^")
    place += negated
    begin = place
    while place == begin or pattern[place : place + 1] != b"]":
        if pattern[place : place + 1] == b"-" and last and pattern[place + 1 : place + 2] not in (b"", b"]"):
            end, place = _sign(pattern, place + 1)
            members.update(bytes([number]) for number in range(ord(last), ord(end or b"\0") + 1))
            last = b""
            continue
        stop = pattern.find(b":]", place)
        if pattern.startswith(b"[:", place) and stop >= place + 2 and b"]" not in pattern[place:stop]:
            if pattern[place + 2 : stop] not in _CLASSES:
                return NEVER, len(pattern)
            members.update(_CLASSES[pattern[place + 2 : stop]])
            last, place = b"", stop + 2
            continue
        last, place = _sign(pattern, place)
        if not last:
            return NEVER, len(pattern)
        members.add(last)
    listed = b"".join(b"\\x%02x" % ord(member) for member in sorted(members - {b"/"}))
    if negated:
        return b"[^/" + listed + b"]", place + 1
    return b"[" + listed + b"]" if listed else NEVER, place + 1


def _stars(pattern, place):
    """Return (regular expression, next position) of stars; `**` between slashes crosses directories."""
    after = place
    while pattern[after : after + 1] == b"*":
        after += 1
    alone = after >= place + 2 and pattern[max(place - 1, 0) : place] in (b"", b"/")
    if alone and pattern[after : after + 1] == b"/":
        return b"(?:[^/]+/)*", after + 1
    if alone and after == len(pattern):
        return b".+", after
    return b"[^/]*", after


def _regex(pattern):
    """Return a pattern without anchors and flags as a regular expression for a whole path."""
    out, place = [], 0
    while place < len(pattern):
        sign = pattern[place : place + 1]
        if sign == b"*":
            part, place = _stars(pattern, place)
        elif sign == b"?":
            part, place = b"[^/]", place + 1
        elif sign == b"[":
            part, place = _class(pattern, place)
        else:
            literal, place = _sign(pattern, place)
            part = re.escape(literal) if literal else NEVER
        out.append(part)
    return b"".join(out)


class Patterns(object):
    """Compiled patterns for paths below a root."""

    def __init__(self, patterns):
        self._rules = []
        for text in patterns:
            raw = text.encode("utf-8", "surrogateescape")
            keep = raw.startswith(b"!")
            raw = raw[1:] if keep else raw
            only_directories = raw.endswith(b"/")
            raw = raw.rstrip(b"/") if only_directories else raw
            anchored = b"/" in raw
            body = _regex(raw.lstrip(b"/"))
            expression = body if anchored else b"(?:[^/]+/)*" + body
            self._rules.append((re.compile(b"(?s)" + expression + b"\\Z"), keep, only_directories))

    def __bool__(self):
        return bool(self._rules)

    def match(self, path, is_directory):
        """Return whether this path itself matches (bytes, relative, no leading slash)."""
        meant = False
        for expression, keep, only_directories in self._rules:
            if meant == keep and (is_directory or not only_directories) and expression.match(path):
                meant = not keep
        return meant

    def match_below(self, path, is_directory):
        """Return whether the path or a directory above it matches."""
        parts = path.split(b"/")
        for depth in range(1, len(parts)):
            if self.match(b"/".join(parts[:depth]), True):
                return True
        return self.match(path, is_directory)
