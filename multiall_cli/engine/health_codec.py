"""Saved health of a server between two checks, as bytes: plain values; damaged data counts as none."""

import json
from collections.abc import Iterable, Mapping

from multiall_cli.domain.baseline import Code
from multiall_cli.domain.health import HealthState, RuleState

MARK = 2000  # length in characters of the mark that a fact saves for the next check


_ENCODED = json.JSONEncoder(separators=(",", ":")).encode


def pack(memory: HealthState, at: float = 0.0) -> bytes:
    """Pack a server's saved health. `at`: when most rules were read; it is stored once for all of them."""
    return joined(at, rows(memory.rules, at).values(), memory.marks, memory.lost)


def rows(held: Mapping[str, RuleState], at: float) -> dict[str, str]:
    """Return the saved row of each rule as text. A row is stable as long as only the time of the check changes."""
    return {rule: f"{_ENCODED(rule)}:{_ENCODED(_row(each, at))}" for rule, each in held.items()}


def joined(at: float, kept: Iterable[str], marks: Mapping[str, str], lost: str) -> bytes:
    """Return the result of `pack` for the same rows."""
    more = f'"marks":{_ENCODED(marks)},"lost":{_ENCODED(lost)}'
    return f'{{"at":{_ENCODED(at)},"rules":{{{",".join(kept)}}},{more}}}'.encode("ascii")


def _row(held: RuleState, at: float) -> list[object]:
    code, hidden = int(held.code), None if held.hidden is None else int(held.hidden)
    times = [held.since, held.failing, None if held.at == at else held.at]
    return [code, *times, held.looks, held.shows, held.wanted, hidden, held.value, held.told, held.digest]


def unpack(packed: bytes | None) -> HealthState:
    """Return all of it that is valid."""
    try:
        told = json.loads(packed or b"{}")
        at = float(str(told.get("at", 0.0)))
        rules = {str(rule): _held(row, at) for rule, row in told.get("rules", {}).items()}
        marks = {str(fact): str(mark) for fact, mark in told.get("marks", {}).items()}
        lost = str(told.get("lost", ""))
    except (ValueError, TypeError, AttributeError, RecursionError):
        return HealthState()
    return HealthState(rules, marks, lost)


def _held(row: list[object], when: float) -> RuleState:
    code, since, failing, at, looks, shows, wanted, hidden, value, told, digest = row
    return RuleState(
        Code.of(code),
        float(str(since)),
        float(str(failing)),
        when if at is None else float(str(at)),
        str(looks),
        str(shows),
        str(wanted),
        None if hidden is None else Code.of(hidden),
        None if value is None else float(str(value)),
        str(told),
        str(digest),
    )


def mark_of(marks: Mapping[str, str], fact: tuple[str, str]) -> object:
    """Return the mark that the last reading of a fact left."""
    try:
        return json.loads(marks.get(fact_key(fact), "null"))
    except (ValueError, RecursionError):
        return None


def fact_key(fact: tuple[str, str]) -> str:
    return f"{fact[0]} {fact[1]}"
