"""Saved topology between two rounds, as bytes in the store: plain values; damaged data counts as none."""

import json
from collections.abc import Mapping
from dataclasses import fields

from multiall_cli.domain.topology import State
from multiall_cli.planning.liveness import LivenessState, SavedServer

WHOLE = ""
"""Key of values that belong to no single server."""
# A server's values are a list: new fields come last, and have their initial value if an earlier release saved none.
_FIELDS = tuple(each.name for each in fields(SavedServer))
_TIMES = ("since", "seen", "heard", "suspected", "good_since", "penalty_at")


def pack(memory: LivenessState, rounds: int) -> dict[str, bytes]:
    """Return name → saved bytes; `rounds`: number of rounds so far."""
    packed = {name: _packed([getattr(one, key) for key in _FIELDS]) for name, one in memory.servers.items()}
    packed[WHOLE] = _packed([rounds, memory.frozen, memory.frozen_at, sorted(memory.answered), sorted(memory.mute)])
    return packed


def _packed(told: object) -> bytes:
    return json.dumps(told, separators=(",", ":")).encode("ascii")


def recall(kept: Mapping[str, bytes], now: float) -> tuple[LivenessState, int]:
    """Return the memory and the number of rounds. Times in the future, from a wrong clock, count as now."""
    servers = {name: one for name, value in kept.items() if name and (one := _server(value, now)) is not None}
    try:
        rounds, frozen, at, answered, mute = json.loads(kept.get(WHOLE, b""))
        return LivenessState(servers, str(frozen), min(float(at), now), set(answered), set(mute)), int(rounds)
    except (ValueError, TypeError):
        return LivenessState(servers), 0


def _server(value: bytes, now: float) -> SavedServer | None:
    try:
        told = json.loads(value)
        told = told if isinstance(told, dict) else dict(zip(_FIELDS, told, strict=False))
        times = {key: min(float(told[key]), now) for key in _TIMES}
        kept = {"state": State(told["state"]), "silences": tuple(map(float, told["silences"]))}
        return SavedServer(**{**told, **times, **kept})
    except (ValueError, TypeError, KeyError):
        return None
