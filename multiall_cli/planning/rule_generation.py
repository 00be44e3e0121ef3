"""A pack of rules, learned from what most servers have in common. Pure."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeVar

from multiall_cli.domain.dataclass import dataclass
from multiall_cli.planning.value_comparison import address_of

EPHEMERAL = 32768  # the kernel assigns ports from here on: they differ each time
_HIDDEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufeff\ufffe\uffff]")
WILD = ("0.0.0.0", "::")  # noqa: S104  (addresses that are compared, nothing is bound)
Words = Mapping[str, object]
Thing = TypeVar("Thing", str, tuple[str, str], tuple[int, tuple[str, ...]])


@dataclass(frozen=True, slots=True)
class ServiceInventory:
    """Findings on one server: running and enabled services, (port, addresses), (path, type), (name, shell)."""

    server: str
    services: tuple[str, ...] = ()
    ports: tuple[tuple[int, tuple[str, ...]], ...] = ()
    mounts: tuple[tuple[str, str], ...] = ()
    users: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class GeneratedRules:
    """Rules for a pack's file. `servers`: their sources; `troubles`: server → what it did not report."""

    rules: Mapping[str, Words]
    servers: tuple[str, ...]
    troubles: Mapping[str, str]


def learned(surveys: Sequence[ServiceInventory]) -> dict[str, Words]:
    """Return rules for what more than half of the servers have; of one server, for everything."""
    services = filter(is_writable, _shared(each.services for each in surveys))
    found: list[tuple[str, str, Words]] = [
        ("service", name, {"check": "service", "name": name, "enabled": True}) for name in services
    ]
    for port, addresses in _shared(each.ports for each in surveys):
        if port < EPHEMERAL:
            # A service on all addresses may use fewer tomorrow; a service on some must not appear on others.
            known = all(address_of(each) is not None for each in addresses)
            where = {} if set(addresses) & set(WILD) or not known else {"addresses": list(addresses)}
            found.append(("port", str(port), {"check": "port", "port": port, **where}))
    for path, kind in _shared(each.mounts for each in surveys):
        if not (is_writable(path) and is_writable(kind)):
            continue
        found.append(("mount", path, {"check": "mount", "path": path, "type": kind}))
        found.append(("disk", path, {"check": "disk", "path": path, "used": ["85%", "95%"]}))
    for name, shell in _shared(each.users for each in surveys):
        if is_writable(name):
            told = {"shell": shell} if is_writable(shell) else {}
            found.append(("user", name, {"check": "user", "name": name, **told}))
    return _named(found)


def is_writable(text: str) -> bool:
    """Return whether a site's file can contain this text: such files have no hidden characters."""
    return bool(text) and _HIDDEN.search(text) is None


def unwritable(survey: ServiceInventory) -> list[str]:
    """Return the names on a server that no rule can contain."""
    names = [*survey.services, *(path for path, _ in survey.mounts), *(name for name, _ in survey.users)]
    return sorted({each for each in names if not is_writable(each)})


def _shared(things: Iterable[Sequence[Thing]]) -> list[Thing]:
    """Return the things that more than half have, sorted."""
    own = [set(each) for each in things]
    counts = Counter(thing for each in own for thing in each)
    return sorted(thing for thing, count in counts.items() if 2 * count > len(own))


def _named(found: Iterable[tuple[str, str, Words]]) -> dict[str, Words]:
    """Return rules by unique names: equal names are numbered."""
    named: dict[str, Words] = {}
    for kind, thing, words in found:
        name = _id(kind, thing)
        named[next(each for each in (name, *(f"{name[:59]}.{at}" for at in range(2, 9999))) if each not in named)] = (
            words
        )
    return named


def _id(kind: str, thing: str) -> str:
    """Return the name of a rule: `mount.var.lib` for /var/lib; `mount.root` for /."""
    words = re.sub("[^A-Za-z0-9_-]+", ".", thing).strip(".") or "root"
    return f"{kind}.{words}"[:64].rstrip(".")
