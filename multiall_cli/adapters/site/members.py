"""Resolves the members of pools: target expressions, which may refer to other pools."""

from collections.abc import Mapping
from dataclasses import replace
from graphlib import CycleError, TopologicalSorter

from multiall_cli.adapters.site.convert import ReportError, origin_of, value_at
from multiall_cli.adapters.site.positions import YamlList, YamlMapping, YamlScalar
from multiall_cli.domain.dataclass import dataclass
from multiall_cli.domain.errors import UsageError
from multiall_cli.domain.inventory import Inventory, Pool, Server
from multiall_cli.planning.targets.grammar import Group, atoms
from multiall_cli.planning.targets.ranges import is_name, shown
from multiall_cli.planning.targets.selection import TargetWorld, is_fleeting, select, world_of

HINTS = 20
"""Unknown names for which the nearest known one is suggested; with many names each costs 0.1 s."""


@dataclass(frozen=True, slots=True)
class UnresolvedPool:
    """A pool, and its members as target expressions."""

    pool: Pool
    written: YamlMapping

    def expressions(self) -> tuple[YamlScalar, ...]:
        """Return the members as written, one expression each."""
        found = value_at(self.written, "members")
        items = found.items if isinstance(found, YamlList) else (found,)
        return tuple(item for item in items if isinstance(item, YamlScalar))


def resolve_members(
    drafts: Mapping[str, UnresolvedPool], servers: Mapping[str, Server], report: ReportError
) -> dict[str, Pool]:
    """Return the pools with their members; a pool with unresolvable members is reported and left out."""
    return _MemberResolver(drafts, servers, report).resolve()


class _MemberResolver:
    """Resolves pools after the pools that they refer to."""

    def __init__(
        self, drafts: Mapping[str, UnresolvedPool], servers: Mapping[str, Server], report: ReportError
    ) -> None:
        self._drafts = drafts
        self._servers = servers
        self._report = report
        self._hints = HINTS
        # All names from the start, for suggestions; a pool without members is unresolved or wrong.
        self._pools: dict[str, tuple[str, ...]] = dict.fromkeys(drafts, ())
        self._world: TargetWorld = replace(world_of(Inventory(servers, {})), pools=self._pools)

    def resolve(self) -> dict[str, Pool]:
        for name in self._order():
            self._pools[name] = self._members(self._drafts[name])
        return {
            name: replace(draft.pool, members=self._pools[name])
            for name, draft in self._drafts.items()
            if self._pools[name]
        }

    def _order(self) -> tuple[str, ...]:
        """Return pools after those that they need; cycles are reported, and come last."""
        needs = {
            name: frozenset(need for item in draft.expressions() for need in self._needs(item))
            for name, draft in self._drafts.items()
        }
        circles: list[str] = []
        while True:
            try:
                return (*TopologicalSorter(needs).static_order(), *circles)
            except CycleError as error:
                cycle = list(dict.fromkeys(error.args[1]))
                self._report_cycle(cycle)
                circles += cycle
                needs = {name: need - set(cycle) for name, need in needs.items() if name not in cycle}

    def _report_cycle(self, cycle: list[str]) -> None:
        first = min(cycle, key=lambda name: self._drafts[name].pool.origin)
        start = cycle.index(first)
        # graphlib lists each pool before the pool that needs it.
        route = list(reversed((*cycle[start:], *cycle[:start], first)))
        place = origin_of(self._drafts[first].written, "members")
        what = f"the pools form a cycle: {' → '.join(f'@{name}' for name in route)}"
        self._report(place, what, "remove one of them from the other's members")

    def _needs(self, item: YamlScalar) -> frozenset[str]:
        """Return the pools of the site in an expression."""
        try:
            found = atoms(item.text)
        except UsageError:
            return frozenset()  # reported by `_is_static`
        return frozenset(atom.name for atom in found if isinstance(atom, Group) and atom.name in self._drafts)

    def _members(self, draft: UnresolvedPool) -> tuple[str, ...]:
        """Return a pool's members; none if one of its expressions is wrong, or needs such a pool."""
        items = draft.expressions()
        settled = [item for item in items if self._is_static(item)]
        ready = [item for item in settled if all(self._pools[name] for name in self._needs(item))]
        whole: UsageError | None = None
        if len(ready) == len(items):
            try:
                # All at once first: one pass over the inventory, and `!` applies to all of them.
                return select(", ".join(item.text for item in items), self._world)
            except UsageError as error:
                whole = error
        chosen = [item for item in ready if self._matches(item)]
        if whole and len(chosen) == len(items):
            self._report(origin_of(draft.written, "members"), whole.what, whole.todo)
        return ()

    def _is_static(self, item: YamlScalar) -> bool:
        """Return whether an expression is valid, and does not depend on state that changes between runs."""
        try:
            fleeting = [atom for atom in atoms(item.text) if is_fleeting(atom)]
        except UsageError as error:
            self._report(item.origin, error.what, error.todo)
            return False
        for atom in fleeting:
            what = f"members cannot depend on '{atom}', which changes between runs"
            self._report(item.origin, what, "use servers, pools and labels")
        return not fleeting

    def _matches(self, item: YamlScalar) -> bool:
        if is_name(item.text) and item.text not in self._servers and item.text not in self._drafts:
            self._hints -= 1
            if self._hints < 0:
                self._report(item.origin, f"{shown(item.text)} matches no server", "`multiall server list` shows all")
                return False
        try:
            select(item.text, self._world)
        except UsageError as error:
            self._report(item.origin, error.what, error.todo)
            return False
        return True
