"""YAML with the position of every key and value; the only module that uses PyYAML.

It uses the parser's events, not PyYAML's own compose, which takes twice as long and limits neither nesting nor
aliases.
"""

import re
import sys
from collections.abc import Callable

import yaml

from multiall_cli.domain.dataclass import dataclass
from multiall_cli.domain.errors import Fault, InputFaults, Origin
from multiall_cli.planning.targets.ranges import shown

DEPTH = 40
"""Nesting depth of lists and mappings."""
_TOO_DEEP = (f"is nested more than {DEPTH} deep", "write it flatter")

EXPANDED = 1_000_000
"""Values of a file after its aliases are expanded."""

_LOADER: type[yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_CONTROL = yaml.reader.Reader.NON_PRINTABLE  # compiling such a set takes five milliseconds
_HIDDEN = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
_ODD_END = re.compile("\r(?!\n)|[\x85\u2028\u2029]")
_NULL = frozenset(("", "~", "null", "Null", "NULL"))
_BOOLEANS = {word: word.lower() == "true" for word in ("true", "True", "TRUE", "false", "False", "FALSE")}
_INTEGER = re.compile(r"[-+]?[0-9]{1,18}|0o[0-7]{1,18}|0x[0-9a-fA-F]{1,15}")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")

ScalarValue = None | bool | int | float | str


@dataclass(frozen=True, slots=True)
class YamlScalar:
    """A scalar as YAML 1.2 reads it, and its text as written. `tag` is empty in site files."""

    value: ScalarValue
    text: str
    origin: Origin
    size: int = 1
    tag: str = ""


@dataclass(frozen=True, slots=True)
class YamlList:
    """A list. `size` counts all values in it."""

    items: tuple["YamlValue", ...]
    origin: Origin
    size: int


@dataclass(frozen=True, slots=True)
class YamlMapping:
    """A mapping. `keys` has the position of each key."""

    entries: dict[str, "YamlValue"]
    keys: dict[str, Origin]
    origin: Origin
    size: int


YamlValue = YamlScalar | YamlList | YamlMapping


def parse_yaml(text: str, file: str, *, tags: bool = False) -> tuple[YamlValue | None, tuple[Fault, ...]]:
    """Return a file's value, None if it is empty, and its errors.

    Duplicate keys and control characters are reported, and parsing continues; broken YAML ends it. `tags`: keep tags
    such as `!vault` on their scalars (they are never resolved); without it, tags are errors.
    """
    unreadable = _CONTROL.search(text)
    if unreadable:
        origin = _position(text, unreadable.start(), file)
        return None, (Fault(origin, f"has the character {unreadable[0]!r}", "remove it"),)
    odd = _ODD_END.search(text)
    if odd:
        # The parser would count one line more than editors do, and all later positions would be wrong.
        what = f"has the line end {odd[0]!r}"
        return None, (Fault(_position(text, odd.start(), file), what, "save it with Unix line ends"),)
    parser = _YamlParser(text, file, tags=tags)
    try:
        return parser.document(), tuple(parser.faults)
    except yaml.MarkedYAMLError as error:
        parser.faults.append(_syntax_error(error, text, file))
    except yaml.YAMLError:
        parser.faults.append(Fault(Origin(file, 1, 1), "is not YAML", "save it as YAML in UTF-8"))
    except InputFaults as error:
        parser.faults.extend(error.faults)
    return None, tuple(parser.faults)


def to_python(written: YamlValue | None) -> object:
    """Return the values without positions: None, booleans, numbers, strings, lists and dicts."""
    match written:
        case YamlScalar(value):
            return value
        case YamlList(items):
            return [to_python(item) for item in items]
        case YamlMapping(entries):
            return {key: to_python(value) for key, value in entries.items()}
        case None:
            return None


_BRACKET = re.compile(r"[\[{]")
_RANGE = re.compile(r"[A-Za-z0-9.]\[[0-9]")


def _position(text: str, index: int, file: str) -> Origin:
    before = text[:index]
    return Origin(file, before.count("\n") + 1, index - before.rfind("\n"))


def _syntax_error(error: yaml.MarkedYAMLError, text: str, file: str) -> Fault:
    mark = error.problem_mark or error.context_mark
    line, column = (mark.line, mark.column) if mark else (0, 0)
    rows = text.split("\n")
    row = rows[line] if line < len(rows) else ""
    origin = Origin(file, line + 1, column + 1)
    why = (error.problem or "it ends too early").replace("node content", "value")
    if "\t" in row[: len(row) - len(row.lstrip())]:
        return Fault(origin, "is indented by a tab, which YAML forbids", "indent by spaces")
    if error.problem == "exceeded maximum nesting depth":  # the parser's own limit, reached while it reads ahead
        return Fault(origin, *_TOO_DEEP)
    if _has_range_in_brackets(row):
        return Fault(origin, f"is not YAML: {why}", 'quote a range inside [ ] or { }, as in ["web[1-3]"]')
    return Fault(origin, f"is not YAML: {why}", "fix the line, or the one before")


def _has_range_in_brackets(row: str) -> bool:
    """Return whether a one-line list or mapping contains a plain range: its bracket is YAML's own there."""
    opened = _BRACKET.search(row)
    return opened is not None and _RANGE.search(row, opened.end()) is not None


def _resolve_scalar(text: str) -> ScalarValue:
    """Return a plain scalar by the core schema of YAML 1.2: `no`, `on`, `1:30` and dates are strings."""
    if text in _NULL:
        return None
    if text in _BOOLEANS:
        return _BOOLEANS[text]
    if text[0] not in "+-.0123456789":
        return text
    if _INTEGER.fullmatch(text):
        return int(text, 0) if text[:2] in ("0o", "0x") else int(text)
    return float(text.replace(".inf", "inf").replace(".nan", "nan")) if _FLOAT.fullmatch(text) else text


class _YamlParser:
    """Turns the parser's events into values; one method per kind of value."""

    def __init__(self, text: str, file: str, *, tags: bool) -> None:
        self.faults: list[Fault] = []
        self._file = file
        self._tags = tags
        self._anchors: dict[str, YamlValue] = {}
        # Used directly: yaml.parse would ask the parser twice for each event.
        self._next: Callable[[], yaml.Event] = _LOADER(text).get_event
        self._expanded = 0

    def document(self) -> YamlValue | None:
        """Return the file's only document."""
        self._next()  # the stream begins
        if isinstance(self._next(), yaml.StreamEndEvent):
            return None
        written = self._value(self._next(), 0)
        self._next()  # the document ends
        event = self._next()
        if isinstance(event, yaml.DocumentStartEvent):
            self._fault(self._origin(event), "begins a second document", "put it into its own file")
        return written

    def _origin(self, event: yaml.Event) -> Origin:
        mark = event.start_mark
        return Origin(self._file, mark.line + 1, mark.column + 1) if mark else Origin(self._file, 1, 1)

    def _fault(self, origin: Origin, what: str, todo: str) -> None:
        self.faults.append(Fault(origin, what, todo))

    def _stop(self, origin: Origin, what: str, todo: str) -> InputFaults:
        return InputFaults((Fault(origin, what, todo),))

    def _value(self, event: yaml.Event, depth: int) -> YamlValue:
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event)
        if depth > DEPTH:
            raise self._stop(self._origin(event), *_TOO_DEEP)
        if isinstance(event, yaml.ScalarEvent):
            written: YamlValue = self._scalar(event)
        elif isinstance(event, yaml.SequenceStartEvent):
            written = self._list(event, depth)
        elif isinstance(event, yaml.MappingStartEvent):
            written = self._mapping(event, depth)
        else:
            raise self._stop(self._origin(event), "has no value here", "write one")
        if event.anchor is not None:
            self._anchors[event.anchor] = written
        return written

    def _alias(self, event: yaml.AliasEvent) -> YamlValue:
        name = event.anchor or ""
        meant = self._anchors.get(name)
        if meant is None:
            what = f"refers to the anchor {shown(name)}, which is not defined above"
            raise self._stop(self._origin(event), what, "write the value")
        self._expanded += meant.size
        if self._expanded > EXPANDED:
            what = f"expands to more than {EXPANDED:,} values by aliases"
            raise self._stop(self._origin(event), what, "write the values out")
        return meant

    def _check_tag(self, tag: str | None, origin: Origin) -> None:
        if tag is not None and tag != "!" and not self._tags:
            self._fault(origin, f"has the tag {shown(tag)}", "write a plain value without a tag")

    def _scalar(self, event: yaml.ScalarEvent) -> YamlScalar:
        origin = self._origin(event)
        text = event.value
        if not text.isprintable() and (hidden := _HIDDEN.search(text)):
            self._fault(origin, f"has the control character {hidden[0]!r}", "remove it")
            text = _HIDDEN.sub("", text)
        value = _resolve_scalar(text) if event.implicit[0] else text
        if event.tag is None:
            return YamlScalar(value, text, origin)
        self._check_tag(event.tag, origin)
        return YamlScalar(value, text, origin, 1, event.tag)

    def _list(self, start: yaml.SequenceStartEvent, depth: int) -> YamlList:
        origin = self._origin(start)
        self._check_tag(start.tag, origin)
        items: list[YamlValue] = []
        size = 1
        while not isinstance(event := self._next(), yaml.SequenceEndEvent):
            items.append(self._value(event, depth + 1))
            size += items[-1].size
        return YamlList(tuple(items), origin, size)

    def _mapping(self, start: yaml.MappingStartEvent, depth: int) -> YamlMapping:
        origin = self._origin(start)
        self._check_tag(start.tag, origin)
        entries: dict[str, YamlValue] = {}
        keys: dict[str, Origin] = {}
        size = 1
        while not isinstance(event := self._next(), yaml.MappingEndEvent):
            place = self._origin(event)
            name = self._key(event, place, keys, depth)
            value = self._value(self._next(), depth + 1)
            size += value.size
            if name is not None:
                keys[name] = place
                entries[name] = value
        return YamlMapping(entries, keys, origin, size)

    def _key(self, event: yaml.Event, place: Origin, keys: dict[str, Origin], depth: int) -> str | None:
        """Return the key's text, None if it is invalid."""
        if isinstance(event, yaml.ScalarEvent) and event.anchor is None and event.tag is None:
            text = event.value
        else:
            written = self._value(event, depth + 1)
            text = written.text if isinstance(written, YamlScalar) else ""
        if not text:
            self._fault(place, "is not a valid key", "write `key: value`")
        elif text == "<<":
            self._fault(place, "merges mappings by '<<', which is not supported", "write the keys out")
        elif text in keys:
            what = f"has the key {shown(text)} twice (first at {keys[text]})"
            self._fault(place, what, "keep one of them")
        else:
            return sys.intern(text)  # every server has the same few keys
        return None
