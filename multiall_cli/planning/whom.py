"""Who fails together, who is asked about whom, and whom no work is to try. Pure."""

import ipaddress
from collections.abc import Mapping, Sequence

from multiall_cli.domain.errors import Unreachable
from multiall_cli.domain.inventory import Server, TopologySettings
from multiall_cli.domain.topology import Downtime, State, Topology

ASKED = 3  # brothers that are asked about a suspect
PLACES = ("rack", "site")
"""Labels that say what fails together, the narrowest first."""


def domain_of(server: Server) -> str:
    """What fails together with it, as far as is known: its rack, its site, else its subnet (/24, /64)."""
    for label in PLACES:
        if label in server.labels:
            return f"{label}={server.labels[label]}"
    try:
        address = ipaddress.ip_address(server.address)
    except ValueError:
        return server.address
    return str(ipaddress.ip_network((address, 24 if address.version == 4 else 64), strict=False))


def labels_of(server: Server) -> list[str]:
    return [f"{key}={value}" for key, value in server.labels.items()]


def ring(names: Sequence[str], observers: Sequence[str], each: int, turn: int) -> list[tuple[str, str]]:
    """(observer, target) pairs of one round: every target is asked about by `each` observers, or by all there are.

    A permutation that `turn` shifts: over the rounds everyone meets everyone, and no one is forgotten by luck.
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


def about(silent: Sequence[str], able: Sequence[str], domains: Mapping[str, str], turn: int) -> list[tuple[str, str]]:
    """Who is asked about each silent server: others of its place and of another, whoever's turn it is."""
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


STALE = 3  # times `every` after which a verdict is too old to act on


def away(topology: Topology, settings: TopologySettings) -> dict[str, Unreachable]:
    """Whom no work is to try: by an operator's word, or because it was down when it was last looked at, just now."""
    found = {}
    for name in {*topology.verdicts, *topology.planned}:
        planned = topology.planned_of(name)
        if planned is not None and planned.what in (Downtime.MAINTENANCE, Downtime.PINNED_DOWN):
            until = f"`multiall topology undrain {name}` ends it"
            found[name] = Unreachable(name, f"{planned.what.value}: {planned.because}", until, "maintenance")
        elif topology.state_of(name) is State.DOWN and topology.at - topology.seen_at(name) < STALE * settings.every:
            what = f"it is down: {topology.verdicts[name].reason}"
            found[name] = Unreachable(name, what, "it gets what it misses once a scan finds it up", "down")
    return found
