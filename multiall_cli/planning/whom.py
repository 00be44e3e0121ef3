"""Failure domains, observers of suspects, and servers to skip. Pure."""

import ipaddress
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from multiall_cli.domain.baseline import CRITICAL
from multiall_cli.domain.errors import Unreachable
from multiall_cli.domain.inventory import Server
from multiall_cli.domain.topology import Downtime, DowntimeKind, State, Topology

ASKED = 3  # peers that are asked about a suspect
INVENTORY = "the inventory"  # the author of downtimes from windows
HANDED_DOWN = (DowntimeKind.DRAIN, DowntimeKind.MAINTENANCE)
_IPV4 = re.compile(r"(?:[0-9]{1,3}\.){3}[0-9]{1,3}")
PLACES = ("rack", "site")
"""Labels of failure domains, the narrowest first."""


def domain_of(server: Server) -> str:
    """Return the failure domain of a server: its rack, its site, or else its subnet (/24, /64)."""
    for label in PLACES:
        if label in server.labels:
            return f"{label}={server.labels[label]}"
    if _IPV4.fullmatch(server.address):  # ten times faster than `ip_network`; a scan asks for thousands
        return f"{server.address.rpartition('.')[0]}.0/24"
    try:
        return str(ipaddress.ip_network((server.address, 64), strict=False))
    except ValueError:
        return server.address


def labels_of(servers: Mapping[str, Server]) -> dict[str, list[str]]:
    """Return server → its shared labels: its own, and `on=hv1` for the parent and all servers that depend on it."""
    found = {name: [f"{key}={value}" for key, value in server.labels.items()] for name, server in servers.items()}
    for name, server in servers.items():
        for parent in parents_of(server, servers):
            found[name].append(f"on={parent}")
            if f"on={parent}" not in found[parent]:
                found[parent].append(f"on={parent}")
    return found


def parents_of(server: Server, servers: Mapping[str, Server]) -> tuple[str, ...]:
    """Return the servers that a server needs to run or to be reached: its dependencies and its jump hosts."""
    jumps = server.ssh.jump.split(",") if server.ssh.jump else []
    return tuple(
        dict.fromkeys(name for name in (*server.depends_on, *jumps) if name in servers and name != server.name)
    )


def circle_of(name: str, servers: Mapping[str, Server]) -> tuple[str, ...]:
    """Return a dependency cycle from a server back to itself, or () if there is none."""
    ways: list[tuple[str, ...]] = [(name,)]
    seen = {name}
    for way in ways:
        for parent in servers[way[-1]].depends_on if way[-1] in servers else ():
            if parent == name:
                return (*way, parent)
            if parent not in seen:
                seen.add(parent)
                ways.append((*way, parent))
    return ()


def inherited(promised: Iterable[Downtime], servers: Mapping[str, Server]) -> list[Downtime]:
    """Return all downtimes, with copies for dependent servers: a guest cannot serve without its hypervisor."""
    own: dict[str, list[Downtime]] = {}
    for each in promised:
        own.setdefault(each.server, []).append(each)
    found = [each for told in own.values() for each in told]
    if not any(each.what in HANDED_DOWN for each in found):
        return found
    for name in servers:
        for elder in _elders(name, servers):
            words = f"({elder}, on which it hangs)"
            handed = [each for each in own.get(elder, ()) if each.what in HANDED_DOWN]
            found += [replace(each, server=name, said_of=elder, because=f"{each.because} {words}") for each in handed]
    return found


def _elders(name: str, servers: Mapping[str, Server]) -> list[str]:
    """Return all dependencies of a server, the nearest first. Jump hosts are left out: clients do not pass them."""
    found: list[str] = []
    todo = [name]
    for each in todo:
        depends = servers[each].depends_on
        new = [parent for parent in depends if parent in servers and parent not in found and parent != name]
        found += new
        todo += new
    return found


def available_members(topology: Topology, members: Sequence[str]) -> tuple[str, ...]:
    """Return the members that can serve clients and get work.

    They are up, not critical by their rules, and not drained, in maintenance or pinned down. Without a current health
    status, reachability decides.
    """
    return tuple(
        name
        for name in members
        if topology.state_of(name) is State.UP
        and ((code := topology.health_of(name)) is None or code // 100 != CRITICAL)
        and ((word := topology.planned_of(name)) is None or word.what is DowntimeKind.PINNED_UP)
    )


def via_relays(servers: Iterable[Server], relays: Mapping[str, str]) -> list[Server]:
    """Return the servers with their current routes: an unreachable server gets its relay as jump host."""
    return [
        replace(server, ssh=replace(server.ssh, jump=relays[server.name]))
        if server.name in relays and not server.ssh.jump
        else server
        for server in servers
    ]


def probe_pairs(names: Sequence[str], observers: Sequence[str], each: int, turn: int) -> list[tuple[str, str]]:
    """Return the (observer, target) pairs of one round: `each` observers per target, or all if there are fewer.

    `turn` shifts the permutation: over the rounds every observer meets every target, and chance leaves no pair out.
    """
    pairs = []
    for place, target in enumerate(names):
        asked = 0
        for step in range(len(observers)):
            observer = observers[(place + 1 + turn * each + step) % len(observers)]
            if asked == each:
                break
            if observer != target:
                pairs.append((observer, target))
                asked += 1
    return pairs


def suspect_probes(
    silent: Sequence[str], able: Sequence[str], domains: Mapping[str, str], turn: int
) -> list[tuple[str, str]]:
    """Return the (observer, silent server) pairs: peers of the same failure domain and of another, in turn."""
    pairs = []
    for place, target in enumerate(silent):
        at = (turn + place) % max(len(able), 1)
        turned = [name for name in [*able[at:], *able[:at]] if name != target]
        near = next((name for name in turned if domains[name] == domains[target]), "")
        far = next((name for name in turned if domains[name] != domains[target]), "")
        chosen = list(filter(None, (near, far)))
        chosen += [name for name in turned[: ASKED + 2] if name not in chosen][: ASKED - len(chosen)]
        pairs += [(name, target) for name in chosen]
    return pairs


def _end_of(planned: Downtime) -> str:
    """Return how this downtime ends."""
    if planned.who == INVENTORY:
        return "it is a window of the inventory, and ends by itself"
    return f"`multiall topology undrain {planned.said_of or planned.server}` ends it"


def unavailable(topology: Topology) -> dict[str, Unreachable]:
    """Return the servers to skip: by an operator's downtime, or because the latest scan found them down."""
    found = {}
    for name in {*topology.verdicts, *topology.planned}:
        planned = topology.planned_of(name)
        if planned is not None and planned.what in (DowntimeKind.MAINTENANCE, DowntimeKind.PINNED_DOWN):
            found[name] = Unreachable(name, f"{planned.what.value}: {planned.because}", _end_of(planned), "maintenance")
        elif topology.state_of(name) is State.DOWN and not topology.is_stale(name):
            what = f"it is down: {topology.verdicts[name].reason}"
            found[name] = Unreachable(name, what, "it gets what it misses once a scan finds it up", "down")
    return found
