"""Records in a zone file: a block of our own lines, where each record set bears its mark, and the zone's serial.

Nothing outside the block ever changes, except the serial.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from posixpath import join, normpath

from multiall_cli.domain.records import RRset, RRsetKey, ZoneContent
from multiall_cli.planning.zones import ownership
from multiall_cli.planning.zones.ownership import marker_name

BEGIN = "; --- kept by multiall: `multiall dns` writes what follows, edit above ---"
END = "; --- end of what multiall keeps ---"
_MARKED = re.compile(r"(?:; )?(?P<name>\S+) [0-9]+ IN (?P<kind>[A-Z]+)(?: .*)? ; (?P<mark>multiall=1 .+)")
_BLOCK = re.compile(rf"^{re.escape(BEGIN)}\r?\n(?:.*\n)*?{re.escape(END)}\r?\n?", re.MULTILINE)
_SOA = re.compile(r"^[^;\n]*\sSOA(?=[\s(;])", re.MULTILINE | re.IGNORECASE)  # not in a comment, and not a name
_TOKEN = re.compile(r"(?:[\s()]|;[^\n]*)*([^\s();]+)")
_DIRECTIVE = re.compile(r'^\$INCLUDE\s+"?(?P<path>[^\s"]+)"?', re.MULTILINE | re.IGNORECASE)

Records = Mapping[RRsetKey, RRset]
"""Our records, each with its mark."""


def content_of(dump: str, text: str) -> ZoneContent:
    """Return a zone from the canonical lines of named-checkzone, with our marks from the text that contains our block.

    Raises ValueError if a line is malformed.
    """
    values: dict[RRsetKey, list[str]] = {}
    ttls: dict[RRsetKey, int] = {}
    soa = ""
    for line in dump.splitlines():
        name, ttl, _, kind, value = line.split(None, 4)
        place = (name.lower(), kind)
        if kind == "SOA":
            soa = value
        values.setdefault(place, []).append(value if kind == "TXT" else value.lower())
        ttls[place] = int(ttl)
    rrsets = {place: RRset(ttls[place], tuple(sorted(each))) for place, each in values.items()}
    for place, mark in marks_of(text):
        rrsets[marker_name(place), "TXT"] = RRset(0, (f'"{mark}"',))
    return ZoneContent(int(soa.split()[2]), soa, rrsets)


def marks_of(text: str) -> Iterator[tuple[RRsetKey, str]]:
    """Yield the marks within our block. A mark on a line of its own has no records."""
    for block in _BLOCK.findall(text):
        for line in block.splitlines():
            if found := _MARKED.fullmatch(line):
                yield (found["name"].lower(), found["kind"]), found["mark"]


def rendered(text: str, records: Records) -> str:
    """Return the text with a block of these records, which replaces the old block."""
    block = "".join(f"{line}\n" for line in (BEGIN, *_lines(records), END))
    without = _BLOCK.sub("", text)
    return f"{without}{'' if without.endswith(chr(10)) or not without else chr(10)}{block}"


def _lines(records: Records) -> Iterator[str]:
    """Yield the lines of the block. The mark follows the first record of each set; an empty set has only its mark."""
    for name, kind in sorted(records):
        rrset = records[name, kind]
        if not rrset.values:
            yield f"; {name} 0 IN {kind} ; {rrset.marker}"
        for at, value in enumerate(rrset.values):
            yield f"{name} {rrset.ttl} IN {kind} {value}" + ("" if at else f" ; {rrset.marker}")


def ours(content: ZoneContent) -> dict[RRsetKey, RRset]:
    """Return all records of a zone that bear a mark of any owner, with the mark."""
    found = {}
    for name, kind in content.rrsets:
        place = ownership.marked(name) if kind == "TXT" else None
        if place is not None:
            mark = content.rrsets[name, kind].values[0].strip('"')
            there = content.rrsets.get(place, RRset(0, ()))
            found[place] = RRset(there.ttl, there.values, mark)
    return found


def with_serial(text: str, serial: int) -> str | None:
    """Return the text with another serial in its first SOA record, or None if it has none."""
    for found in _SOA.finditer(text):
        token, at = None, found.end()
        for _ in range(3):
            token = _TOKEN.match(text, at)
            at = token.end() if token else len(text)
        if token and token[1].isdigit():
            return f"{text[: token.start(1)]}{serial}{text[token.end(1) :]}"
    return None


def includes(text: str) -> bool:
    """Return whether a file includes others."""
    return _DIRECTIVE.search(text) is not None


def including(text: str, fragment: str, other: str, folder: str = "") -> str | None:
    """Return the text with another file in place of an included fragment, or None if it does not include the fragment.

    `folder`: the base of relative names ('': unknown).
    """
    every, name = list(_DIRECTIVE.finditer(text)), fragment.rpartition("/")[2]
    exact = [each for each in every if normpath(join(folder, each["path"])) == normpath(fragment)]
    for found in exact or [each for each in every if each["path"].rpartition("/")[2] == name]:
        return f"{text[: found.start('path')]}{other}{text[found.end('path') :]}"
    return None


def lost(before: ZoneContent, after: ZoneContent, meant: Iterable[RRsetKey]) -> list[RRsetKey]:
    """Return places that differ although they were not meant to change: such a file must never be loaded."""
    known = {*meant} | {(marker_name(place), "TXT") for place in meant}
    return sorted(
        place
        for place in before.rrsets.keys() | after.rrsets.keys()
        if place[1] != "SOA" and place not in known and before.rrsets.get(place) != after.rrsets.get(place)
    )
