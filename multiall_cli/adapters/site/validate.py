"""Validates a file against its shape: every invalid value is an error at its own position."""

from collections.abc import Iterator
from types import NoneType, UnionType
from typing import Annotated, Literal, TypeVar, Union, get_args, get_origin

import msgspec

from multiall_cli.adapters.site.positions import YamlList, YamlMapping, YamlScalar, YamlValue, to_python
from multiall_cli.domain.errors import Fault
from multiall_cli.planning.suggestions import did_you_mean
from multiall_cli.planning.targets.ranges import shown

Shape = TypeVar("Shape")
_Kind = object
"""A type as in an annotation: a Struct, `list[...]`, a union, `Annotated[...]`."""

_WORDS: dict[object, str] = {
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    str: "text",
    list: "a list",
    dict: "a mapping",
}


RENAMED = {
    "on_floor": "below_minimum",
    "sorry": "fallback",
    "window": "confirm_after",
    "denials": "confirmations",
}
"""Keys of earlier versions → their names now."""


def validate(written: YamlValue, shape: type[Shape], faults: list[Fault]) -> tuple[Shape, YamlValue] | None:
    """Return the filled shape, and the valid part of the file; None if too much is invalid.

    Invalid values are reported and left out of both, so that the rest is checked too.
    """
    try:
        return msgspec.convert(to_python(written), shape), written
    except msgspec.ValidationError as error:
        found: list[Fault] = []
        kept = _valid(written, shape, "", found)
        faults += found or [Fault(written.origin, f"is invalid ({error})", "fix it")]
        return (msgspec.convert(to_python(kept), shape), kept) if found and kept else None


def describe(kind: _Kind) -> str:
    """Return what to write, as the rest of a sentence: `a port from 1 to 65535`."""
    if get_origin(kind) is Annotated:
        inner, *rest = get_args(kind)
        described = [meta.description for meta in rest if isinstance(meta, msgspec.Meta) and meta.description]
        return described[0] if described else describe(inner)
    if get_origin(kind) in (Union, UnionType):
        return ", or ".join(dict.fromkeys(describe(part) for part in _parts(kind) if part is not NoneType))
    if get_origin(kind) is Literal:
        return " or ".join(str(value) for value in get_args(kind))
    return _WORDS.get(get_origin(kind) or kind, "a mapping")


def _parts(kind: _Kind) -> Iterator[_Kind]:
    """Yield the types that a value may have, without their constraints."""
    origin = get_origin(kind)
    if origin is Annotated:
        yield from _parts(get_args(kind)[0])
    elif origin in (Union, UnionType):
        for part in get_args(kind):
            if part is not msgspec.UnsetType:
                yield from (part,) if get_origin(part) is Annotated and not _outlines(part) else _parts(part)
    else:
        yield kind


def _is_secret(kind: _Kind) -> bool:
    metas = [each for each in get_args(kind) if isinstance(each, msgspec.Meta)]
    return any((each.extra or {}).get("secret") for each in metas) or any(map(_is_secret, get_args(kind)))


def _outlines(kind: _Kind) -> bool:
    return any(get_origin(part) in (list, dict) for part in _parts(kind))


def _valid(written: YamlValue, kind: _Kind, key: str, faults: list[Fault]) -> YamlValue | None:
    """Return the valid part of a value, None if there is none; the rest is reported."""
    for part in _parts(kind):
        origin = get_origin(part)
        if isinstance(written, YamlList) and origin is list:
            return _valid_list(written, kind, get_args(part)[0], key, faults)
        if isinstance(written, YamlMapping) and origin is dict:
            return _valid_dict(written, get_args(part), faults)
        if isinstance(written, YamlMapping) and isinstance(part, type) and issubclass(part, msgspec.Struct):
            return _valid_struct(written, part, key, faults)
    if isinstance(written, YamlScalar) and _fits(written.value, kind):
        return written
    faults.append(_type_error(written, kind, key))
    return None


def _fits(value: object, kind: _Kind) -> bool:
    try:
        msgspec.convert(value, kind)
    except msgspec.ValidationError:
        return False
    return True


def _valid_list(written: YamlList, kind: _Kind, inner: _Kind, key: str, faults: list[Fault]) -> YamlList | None:
    if not written.items and not _fits([], kind):
        faults.append(Fault(written.origin, f"{shown(key)} is an empty list", f"write {describe(kind)}"))
        return None
    items = [_valid(item, inner, key, faults) for item in written.items]
    left = tuple(item for item in items if item is not None)
    return YamlList(left, written.origin, written.size) if left or not items else None


def _valid_dict(written: YamlMapping, kinds: tuple[_Kind, ...], faults: list[Fault]) -> YamlMapping:
    entries: dict[str, YamlValue] = {}
    for name, value in written.entries.items():
        kept = _valid(value, kinds[1], name, faults)
        if not _fits(name, kinds[0]):
            todo = f"write {describe(kinds[0])}"
            faults.append(Fault(written.keys[name], f"invalid key {shown(name)}", todo))
        elif kept is not None:
            entries[name] = kept
    return YamlMapping(entries, written.keys, written.origin, written.size)


def _valid_struct(
    written: YamlMapping, shape: type[msgspec.Struct], key: str, faults: list[Fault]
) -> YamlMapping | None:
    fields = {field.encode_name: field for field in msgspec.structs.fields(shape)}
    entries: dict[str, YamlValue] = {}
    for name, value in written.entries.items():
        if name not in fields:
            todo = f"known here: {', '.join(fields)}"
            if (new := RENAMED.get(name)) in fields:
                todo = f"it is called {new!r} now; {todo}"
            else:
                todo = f"{did_you_mean(name, fields)}{todo}"
            faults.append(Fault(written.keys[name], f"unknown key {shown(name)}", todo))
        elif (kept := _valid(value, fields[name].type, name, faults)) is not None:
            entries[name] = kept
    required = [field for field in fields.values() if field.required]
    for field in required:
        if field.encode_name not in written.entries:
            where = f" in {shown(key)}" if key else ""
            what = f"{shown(field.encode_name)} is missing{where}"
            faults.append(Fault(written.origin, what, f"write {describe(field.type)}"))
    complete = all(field.encode_name in entries for field in required)
    return YamlMapping(entries, written.keys, written.origin, written.size) if complete else None


def _type_error(written: YamlValue, kind: _Kind, key: str) -> Fault:
    what = {YamlMapping: "a mapping", YamlList: "a list"}.get(type(written), "")
    if isinstance(written, YamlScalar):
        what = "empty" if written.value is None else shown(written.text)
        if written.value is not None and _is_secret(kind):
            what = "not a reference to a secret"  # the value itself may be the secret
    subject = shown(key) if key else "it"
    return Fault(written.origin, f"{subject} is {what}", f"write {describe(kind)}")
