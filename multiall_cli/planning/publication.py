"""The topology as published to members: content, schedule and verification. Pure."""

import json
from collections.abc import Mapping

from multiall_cli.domain.publication import LastPublished, Verified
from multiall_cli.domain.topology import REST, Round, Topology
from multiall_cli.planning.ahead import is_ahead

FORMAT, VERSION = "multiall/topology", 1
LAST = 2.0**37  # latest time that a clock may show, in seconds since the epoch
MOST = 1 << 26  # bytes of a publication, at most


def snapshot(topology: Topology, ttl: float) -> dict[str, object]:
    """Return the topology as plain values. `expires`: seconds since the epoch; nobody should act on it afterwards."""
    return {
        "format": FORMAT,
        "version": VERSION,
        "at": topology.at,
        "expires": topology.at + ttl,
        "vantage": topology.vantage,
        "servers": {name: _server(topology, name) for name in topology.verdicts},
        "pools": {name: list(members) for name, members in topology.serving.items()},
    }


def _server(topology: Topology, name: str) -> dict[str, object]:
    verdict, planned = topology.verdicts[name], topology.planned_of(name)
    told: dict[str, object] = {"state": topology.state_of(name).value, "since": verdict.since}
    if verdict.reason:
        told["reason"] = verdict.reason
    if planned is not None:
        told["planned"] = {"what": planned.what.value, "until": planned.ends, "because": planned.because}
    if name in topology.health:
        told["health"] = {"code": topology.health[name].code.value, "at": topology.health[name].at}
    return told


def canonical(told: object) -> bytes:
    """Return the bytes to sign: JSON with sorted keys, no spaces, ASCII."""
    return json.dumps(told, sort_keys=True, separators=(",", ":")).encode("ascii")


def written(told: Mapping[str, object], key: str, signature: str) -> bytes:
    """Return the file. `key`, `signature`: base64, of the public key and of its signature of the `snapshot`."""
    return canonical({"snapshot": told, "key": key, "signature": signature}) + b"\n"


def read(content: bytes) -> tuple[Mapping[str, object], str, str] | None:
    """Return (snapshot, key, signature) of a file, or None if it is not a publication."""
    try:
        told = json.loads(content)
        found, key, signature = told["snapshot"], told["key"], told["signature"]
        times = [found["at"], found["expires"]]
        good = found["format"] == FORMAT and isinstance(key, str) and isinstance(signature, str)
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    return (found, key, signature) if good and all(map(_is_time, times)) else None


def _is_time(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= LAST


def verified(found: Mapping[str, object], *, ours: bool, signed: bool, now: float) -> Verified:
    """Return the result of verifying a copy. `ours`: it has our key; `signed`: its key matches its signature."""
    at, expires = float(str(found["at"])), float(str(found["expires"]))
    why = ""
    if not signed:
        why = "its signature is not of what it says"
    elif not ours:
        why = "another key than ours has signed it"
    elif now >= expires:
        why = f"it expired {now - expires:.0f} s ago"
    return Verified(not why, why, at, expires, str(found.get("vantage", "")))


def due(round_: Round, before: LastPublished, path: str, ttl: float) -> bool:
    """Return whether to publish now: something changed, the last copy grows old, or an absent member is back.

    A member that is up but could not be updated waits until the copy grows old: it must not cause constant publishing
    to all others.
    """
    topology = round_.topology
    if topology.frozen:
        return False
    changed = any(event.before != event.after for event in round_.events) or before.said != said(topology, path, ttl)
    back = any(topology.state_of(name) in REST for name in before.away)
    return changed or back or is_ahead(before.at, topology.at) or topology.at - before.at >= ttl / 2


def said(topology: Topology, path: str, ttl: float) -> str:
    """Return the part that members act on, without its date, and the path and lifetime of the file."""
    servers = [
        [name, topology.state_of(name).value, str(topology.planned_of(name)), topology.health_of(name)]
        for name in topology.verdicts
    ]
    pools = {name: list(each) for name, each in topology.serving.items()}
    return canonical([path, ttl, servers, pools]).decode("ascii")
