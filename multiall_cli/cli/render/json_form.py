"""The plain form of any answer: what --json prints."""

import json
import re
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from math import isfinite
from pathlib import PurePath

from multiall_cli.cli.render.runners import COMMAND
from multiall_cli.cli.render.text import HIDDEN, safe_text
from multiall_cli.domain.change import Change
from multiall_cli.domain.topology import ProbeLevel

VERSION = 1
"""Of all schemas together. Additions do not raise it; a changed or removed field does."""


def plain(value: object) -> object:
    """Dataclasses as objects, enums as their values; bytes of names that are no UTF-8 as visible escapes."""
    if isinstance(value, Enum):
        return _enum(value)
    if isinstance(value, str):
        return value if value.isprintable() else _valid(value)
    if isinstance(value, float) and not isfinite(value):
        return str(value)  # a member may tell it, and JSON has no such number
    if value is None or isinstance(value, (bool, int, float)):
        return value
    if isinstance(value, PurePath):
        return str(value)
    if isinstance(value, Change):
        sides = {"before": plain(value.before), "after": plain(value.after)}
        return {"key": plain(value.key), "action": value.action.value} | sides
    if is_dataclass(value):
        return {each.name: plain(getattr(value, each.name)) for each in fields(value) if each.repr}
    if isinstance(value, Mapping):
        return {str(plain(key)): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(item) for item in value]
    return str(value)


def _enum(value: Enum) -> object:
    """A rung's number is only for comparing."""
    return value.word if isinstance(value, ProbeLevel) else value.value


def _valid(text: str) -> str:
    """Control characters are JSON's own business; lone surrogates are not valid there."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return safe_text(text)
    return text


def document(schema: str, value: object) -> dict[str, object]:
    """The value with its schema and version."""
    told = plain(value)
    head: dict[str, object] = {"schema": f"multiall/{schema}", "version": VERSION}
    return head | (told if isinstance(told, dict) else {"items": told}) | head


def as_json(told: object, indent: int | None = 2) -> str:
    """JSON that a terminal can be shown: what is hidden in its strings is an escape, also beyond what JSON asks."""
    text = json.dumps(told, ensure_ascii=False, indent=indent)
    return COMMAND.sub(r"\\u0023#", HIDDEN.sub(_escaped, text)) + "\n"


def as_yaml(told: object) -> str:
    """YAML that a terminal can be shown: where something is hidden in it, all beyond ASCII is an escape."""
    from multiall_cli.fleet.sites import to_yaml

    text = to_yaml(told)
    if COMMAND.search(text):
        return as_json(told)  # it is YAML too, and a runner finds no command in it
    return to_yaml(told, ascii_only=True) if HIDDEN.search(text) else text


def _escaped(match: re.Match[str]) -> str:
    """As JSON writes it: only strings hold such characters."""
    return json.dumps(match.group())[1:-1]
