"""Selection of servers by a target expression."""

import re
from collections.abc import Mapping
from dataclasses import field
from fnmatch import translate
from typing import NoReturn

from multiall_cli.domain.dataclass import dataclass
from multiall_cli.domain.errors import UsageError
from multiall_cli.domain.inventory import Inventory
from multiall_cli.planning.suggestions import did_you_mean
from multiall_cli.planning.targets.grammar import (
    Atom,
    Both,
    Either,
    Expression,
    Group,
    Labelled,
    Names,
    Without,
    parse,
)
from multiall_cli.planning.targets.ranges import expand, fold, shown

STATE = "state"
"""The key that selects by reachability; it is reserved and cannot be a label."""

STATES = ("up", "suspect", "down", "maintenance", "unknown")
SPECIAL = ("failed", "deferred")
"""Sets that a run leaves behind; these names are reserved and cannot be pools."""

_SERVERS = "`multiall server list` shows all"
_POOLS = "`multiall pool list` shows all"


@dataclass(frozen=True, slots=True)
class TargetWorld:
    """Servers that an expression can select, in their order, and their attributes.

    `states` maps a server to its reachability; a server that is not in it is `unknown`. `special` maps a word, for
    example `failed`, to the servers of that set, which may be empty.
    """

    servers: tuple[str, ...]
    pools: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    labels: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    states: Mapping[str, str] = field(default_factory=dict)
    special: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def world_of(
    inventory: Inventory,
    states: Mapping[str, str] | None = None,
    special: Mapping[str, tuple[str, ...]] | None = None,
) -> TargetWorld:
    """Return the world of an inventory."""
    return TargetWorld(
        servers=tuple(inventory.servers),
        pools={name: pool.members for name, pool in inventory.pools.items()},
        labels={name: server.labels for name, server in inventory.servers.items()},
        states=states or {},
        special=special or {},
    )


def select(expression: str, world: TargetWorld) -> tuple[str, ...]:
    """Return the servers of an expression, in the order of the inventory; at least one.

    Every name, pool, label and set in the expression must be known. A state or special set that is empty now is refused
    too, unless it is below `!`. Raises UsageError, with the nearest name.
    """
    chosen = _Selector(world).choose(parse(expression))
    if not chosen:
        _refuse(f"{shown(expression)} matches no server", _SERVERS)
    return tuple(server for server in world.servers if server in chosen)


def _refuse(what: str, todo: str) -> NoReturn:
    raise UsageError("target", what, todo)


class _Selector:
    """Evaluator of expressions in one world. `negated`: an atom may match no server."""

    def __init__(self, world: TargetWorld) -> None:
        self._world = world
        self._all = frozenset(world.servers)

    def choose(self, expression: Expression, *, negated: bool = False) -> frozenset[str]:
        match expression:
            case Without(inner):
                return self._all - self.choose(inner, negated=True)
            case Both(parts):
                return frozenset.intersection(*(self.choose(part, negated=negated) for part in parts))
            case Either(parts):
                return frozenset().union(*(self.choose(part, negated=negated) for part in parts))
            case _:
                return self._atom(expression, negated=negated)

    def _atom(self, atom: Atom, *, negated: bool) -> frozenset[str]:
        match atom:
            case Names(pattern):
                return self._named(pattern)
            case Group(name):
                return self._group(name, negated=negated)
            case Labelled(key, value) if key == STATE:
                return self._in_state(value, negated=negated)
            case Labelled(key, value):
                return self._labelled(key, value)

    def _named(self, pattern: str) -> frozenset[str]:
        chosen: set[str] = set()
        missing: list[str] = []
        for name in expand(pattern):
            found = self._glob(name) if "*" in name or "?" in name else {name} & self._all
            chosen |= found
            if not found:
                missing.append(name)
        if missing:
            self._unknown(pattern, missing)
        return frozenset(chosen)

    def _glob(self, pattern: str) -> set[str]:
        # Unlike `.*` for each star, `translate` gives a pattern that does not backtrack exponentially.
        return set(filter(re.compile(translate(pattern)).match, self._world.servers))

    def _unknown(self, pattern: str, missing: list[str]) -> NoReturn:
        if pattern in self._world.pools:
            _refuse(f"{shown(pattern)} matches no server but is a pool", f"write @{pattern}")
        folded = fold(missing)
        whole = "" if folded == pattern else f" (of {shown(pattern)})"
        hint = did_you_mean(missing[0], self._world.servers)
        _refuse(f"{shown(folded)}{whole} matches no server", hint + _SERVERS)

    def _group(self, name: str, *, negated: bool) -> frozenset[str]:
        known: dict[str, tuple[str, ...]] = {**self._world.pools, **self._world.special}
        members = known.get(name)
        if members is None:
            _refuse(f"{shown('@' + name)} matches no pool", did_you_mean(name, known, "@") + _POOLS)
        if not members and not negated:
            _refuse(f"'@{name}' has no servers now", _SERVERS)
        return frozenset(members) & self._all

    def _in_state(self, value: str, *, negated: bool) -> frozenset[str]:
        states = self._world.states
        known = tuple(dict.fromkeys((*STATES, *states.values())))
        if value not in known:
            hint = did_you_mean(value, known, f"{STATE}=")
            _refuse(f"{shown(f'{STATE}={value}')} names no state", f"{hint}known are {', '.join(known)}")
        chosen = frozenset(name for name in self._all if states.get(name, "unknown") == value)
        if not chosen and not negated:
            _refuse(f"'{STATE}={value}' matches no server now", _SERVERS)
        return chosen

    def _labelled(self, key: str, value: str) -> frozenset[str]:
        labels = self._world.labels
        chosen = frozenset(name for name in self._all if labels.get(name, {}).get(key) == value)
        if chosen:
            return chosen
        asked = shown(f"{key}={value}")
        values = sorted({given[key] for given in labels.values() if key in given})
        if values:
            _refuse(f"{asked} matches no server", did_you_mean(value, values, f"{key}=") + _SERVERS)
        keys = sorted({STATE, *(known for given in labels.values() for known in given)})
        _refuse(f"{asked} matches no server, none has the label", did_you_mean(key, keys) + _SERVERS)


def is_fleeting(atom: Atom) -> bool:
    """Return whether the servers of an atom change from run to run."""
    match atom:
        case Group(name):
            return name in SPECIAL
        case Labelled(key):
            return key == STATE
    return False
