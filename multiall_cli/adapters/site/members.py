"""Who the members of each pool are: target expressions, which may name other pools."""

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
"""How many unknown names are answered with the nearest known one; among many names each costs 0.1 s."""


@dataclass(frozen=True, slots=True)
class UnresolvedPool:
    """A pool and where its members are written, before they are known."""

    pool: Pool
    written: YamlMapping

    def expressions(self) -> tuple[YamlScalar, ...]:
        """The members as they are written, one expression each."""
        found = value_at(self.written, "members")
        items = found.items if isinstance(found, YamlList) else (found,)
        return tuple(item for item in items if isinstance(item, YamlScalar))


def resolve_members(
    drafts: Mapping[str, UnresolvedPool], servers: Mapping[str, Server], tell: ReportError
) -> dict[str, Pool]:
    """The pools with their members; a pool whose members cannot be known is told and left out."""
    return _MemberResolver(drafts, servers, tell).resolve()


class _MemberResolver:
    """Resolves pools in the order in which they need each other."""

    def __init__(self, drafts: Mapping[str, UnresolvedPool], servers: Mapping[str, Server], tell: ReportError) -> None:
        self._drafts = drafts
        self._servers = servers
        self._tell = tell
        self._hints = HINTS
        # All names from the start, for the nearest one; a pool without members is not known yet, or wrong.
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
        """Pools after those that they need; those in a circle are told, and come last."""
        needs = {
            name: frozenset(need for item in draft.expressions() for need in self._needs(item))
            for name, draft in self._drafts.items()
        }
        circles: list[str] = []
        while True:
            try:
                return (*TopologicalSorter(needs).static_order(), *circles)
            except CycleError as error:
                circle = list(dict.fromkeys(error.args[1]))
                self._tell_circle(circle)
                circles += circle
                needs = {name: need - set(circle) for name, need in needs.items() if name not in circle}

    def _tell_circle(self, circle: list[str]) -> None:
        first = min(circle, key=lambda name: self._drafts[name].pool.origin)
        start = circle.index(first)
        # graphlib lists each pool before the one that needs it.
        route = list(reversed((*circle[start:], *circle[:start], first)))
        place = origin_of(self._drafts[first].written, "members")
        what = f"the pools need each other: {' → '.join(f'@{name}' for name in route)}"
        self._tell(place, what, "take one of them out of the other's members")

    def _needs(self, item: YamlScalar) -> frozenset[str]:
        """The pools of the site that an expression names."""
        try:
            found = atoms(item.text)
        except UsageError:
            return frozenset()  # told by `_settled`
        return frozenset(atom.name for atom in found if isinstance(atom, Group) and atom.name in self._drafts)

    def _members(self, draft: UnresolvedPool) -> tuple[str, ...]:
        """A pool's members; none where one of its expressions is wrong, or needs a pool that is."""
        items = draft.expressions()
        settled = [item for item in items if self._settled(item)]
        ready = [item for item in settled if all(self._pools[name] for name in self._needs(item))]
        whole: UsageError | None = None
        if len(ready) == len(items):
            try:
                # Together first: one pass over the inventory, and `!` among them is seen.
                return select(", ".join(item.text for item in items), self._world)
            except UsageError as error:
                whole = error
        chosen = [item for item in ready if self._chosen(item)]
        if whole and len(chosen) == len(items):
            self._tell(origin_of(draft.written, "members"), whole.what, whole.todo)
        return ()

    def _settled(self, item: YamlScalar) -> bool:
        """Whether an expression can be read, and does not depend on what changes from run to run."""
        try:
            fleeting = [atom for atom in atoms(item.text) if is_fleeting(atom)]
        except UsageError as error:
            self._tell(item.origin, error.what, error.todo)
            return False
        for atom in fleeting:
            what = f"members cannot depend on '{atom}', which changes by itself"
            self._tell(item.origin, what, "name servers, pools and labels")
        return not fleeting

    def _chosen(self, item: YamlScalar) -> bool:
        if is_name(item.text) and item.text not in self._servers and item.text not in self._drafts:
            self._hints -= 1
            if self._hints < 0:
                self._tell(item.origin, f"{shown(item.text)} matches no server", "`multiall server list` shows all")
                return False
        try:
            select(item.text, self._world)
        except UsageError as error:
            self._tell(item.origin, error.what, error.todo)
            return False
        return True
