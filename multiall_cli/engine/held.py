"""What is kept of a server's health between two looks, as bytes: plain values, and nothing of what is broken."""

import json
from collections.abc import Mapping

from multiall_cli.domain.baseline import Code
from multiall_cli.domain.health import Held, Memory

MARK = 2000  # letters of what a fact may leave for the next look


def pack(memory: Memory) -> bytes:
    rules = {rule: _row(held) for rule, held in memory.rules.items()}
    told = {"rules": rules, "marks": dict(memory.marks), "lost": memory.lost}
    return json.dumps(told, separators=(",", ":")).encode("ascii")


def _row(held: Held) -> list[object]:
    code, hidden = int(held.code), None if held.hidden is None else int(held.hidden)
    times = [held.since, held.failing, held.at]
    return [code, *times, held.looks, held.shows, held.wanted, hidden, held.value, held.told, held.digest]


def unpack(packed: bytes | None) -> Memory:
    """Whatever of it makes sense."""
    try:
        told = json.loads(packed or b"{}")
        rules = {str(rule): _held(row) for rule, row in told.get("rules", {}).items()}
        marks = {str(fact): str(mark) for fact, mark in told.get("marks", {}).items()}
        lost = str(told.get("lost", ""))
    except (ValueError, TypeError, AttributeError, RecursionError):
        return Memory()
    return Memory(rules, marks, lost)


def _held(row: list[object]) -> Held:
    code, since, failing, at, looks, shows, wanted, hidden, value, told, digest = row
    return Held(
        Code.of(code),
        float(str(since)),
        float(str(failing)),
        float(str(at)),
        str(looks),
        str(shows),
        str(wanted),
        None if hidden is None else Code.of(hidden),
        None if value is None else float(str(value)),
        str(told),
        str(digest),
    )


def mark_of(marks: Mapping[str, str], fact: tuple[str, str]) -> object:
    """What the last look at a fact left."""
    try:
        return json.loads(marks.get(fact_key(fact), "null"))
    except (ValueError, RecursionError):
        return None


def fact_key(fact: tuple[str, str]) -> str:
    return f"{fact[0]} {fact[1]}"
