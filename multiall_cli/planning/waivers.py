"""Exceptions: which rules may fail on which servers, and until when. Pure."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from fnmatch import fnmatchcase

from multiall_cli.domain.health import DAY, Waiver
from multiall_cli.domain.inventory import Inventory

SOON = 7 * DAY  # seconds before its end when a waiver counts as ending soon
Names = Callable[[str], Iterable[str]]
"""target → the servers that it matches now, possibly none."""


def holding(waivers: Iterable[Waiver], now: float) -> list[Waiver]:
    return [each for each in waivers if each.ends > now]


def waived(server: str, rules: Iterable[str], waivers: Sequence[tuple[Waiver, frozenset[str]]]) -> dict[str, Waiver]:
    """Return rule → its waiver on a server; of several, the one that lasts longest."""
    own = [waiver for waiver, servers in waivers if server in servers]
    found: dict[str, Waiver] = {}
    for rule in rules:
        matching = [each for each in own if fnmatchcase(rule, each.rule)]
        if matching:
            found[rule] = max(matching, key=lambda each: each.ends)
    return found


def with_servers(waivers: Iterable[Waiver], names: Names) -> list[tuple[Waiver, frozenset[str]]]:
    """Return each waiver with the servers that its target matches now: waivers follow the inventory."""
    return [(each, frozenset(names(each.target))) for each in waivers]


def declared(inventory: Inventory) -> list[Waiver]:
    """Return the waivers of pools and servers under `except:`."""
    pools = [each for pool in inventory.pools.values() for each in pool.waivers]
    return [*pools, *(each for server in inventory.servers.values() for each in server.waivers)]


def ending_soon(waivers: Iterable[Waiver], now: float) -> list[Waiver]:
    """Return the waivers that end soon, the earliest end first."""
    return sorted((each for each in waivers if now < each.ends <= now + SOON), key=lambda each: each.ends)


def unused(waiver: Waiver, rules: Mapping[str, Iterable[str]], servers: Iterable[str]) -> bool:
    """Return whether no rule of these servers matches the waiver. `rules`: server → its rules."""
    return not any(fnmatchcase(rule, waiver.rule) for server in servers for rule in rules.get(server, ()))
