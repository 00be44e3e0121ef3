"""The topology as members are given it: what it says, when it is due, and whether a copy holds. Pure."""

import json
from collections.abc import Mapping

from multiall_cli.domain.publication import LastPublished, Verified
from multiall_cli.domain.topology import REST, Round, Topology
from multiall_cli.planning.ahead import is_ahead

FORMAT, VERSION = "multiall/topology", 1
LAST = 2.0**37  # seconds since the epoch that a clock may show
MOST = 1 << 26  # bytes of a publication


def snapshot(topology: Topology, ttl: float) -> dict[str, object]:
    """Plain values. `expires`: seconds since the epoch, after which nobody should act on it."""
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
    """The bytes that are signed: keys in order, no spaces, ASCII."""
    return json.dumps(told, sort_keys=True, separators=(",", ":")).encode("ascii")


def written(told: Mapping[str, object], key: str, signature: str) -> bytes:
    """The file. `key`, `signature`: base64 of the public key and of what it signs, the canonical `snapshot`."""
    return canonical({"snapshot": told, "key": key, "signature": signature}) + b"\n"


def read(content: bytes) -> tuple[Mapping[str, object], str, str] | None:
    """(snapshot, key, signature) of a file; None where it is none of ours."""
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
    """`ours`: it has our key; `signed`: by the key that it has."""
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
    """Whether members should be given it now: something changed, it grows old, or one who was away is back.

    Who was there and could not be given it gets it once it grows old: it must not make all others be given it always.
    """
    topology = round_.topology
    if topology.frozen:
        return False
    changed = any(event.before != event.after for event in round_.events) or before.said != said(topology, path, ttl)
    back = any(topology.state_of(name) in REST for name in before.away)
    return changed or back or is_ahead(before.at, topology.at) or topology.at - before.at >= ttl / 2


def said(topology: Topology, path: str, ttl: float) -> str:
    """What of it members act on, apart from its date, and where they find it for how long."""
    servers = [
        [name, topology.state_of(name).value, str(topology.planned_of(name)), topology.health_of(name)]
        for name in topology.verdicts
    ]
    pools = {name: list(each) for name, each in topology.serving.items()}
    return canonical([path, ttl, servers, pools]).decode("ascii")
