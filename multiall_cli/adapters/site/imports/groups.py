"""Hosts, groups and variables as Ansible means them, whatever file they were read from."""

import re
from dataclasses import field

from multiall_cli.adapters.site.build import MOST_SERVERS
from multiall_cli.adapters.site.imports.imported import Dropped, refused
from multiall_cli.domain.dataclass import dataclass
from multiall_cli.domain.errors import Origin, UsageError
from multiall_cli.planning.targets.ranges import expand, shown

_RANGE = re.compile(r"\[([0-9]+):([0-9]+)(?::([0-9]+))?\]")


@dataclass(frozen=True, slots=True)
class Variable:
    """A variable as it is written; `value` None: a list, a table or a tagged value."""

    name: str
    value: str | None
    origin: Origin


@dataclass(slots=True)
class Grouped:
    """One group while its files are read."""

    origin: Origin
    hosts: dict[str, None] = field(default_factory=dict)
    children: dict[str, None] = field(default_factory=dict)
    variables: list[Variable] = field(default_factory=list)


@dataclass(slots=True)
class Groups:
    """All that an inventory says, in its order."""

    hosts: dict[str, Origin] = field(default_factory=dict)
    groups: dict[str, Grouped] = field(default_factory=dict)
    dropped: list[Dropped] = field(default_factory=list)
    _own: dict[str, list[Variable]] = field(default_factory=dict)

    def drop(self, origin: Origin, what: str) -> None:
        self.dropped.append(Dropped(origin, what))

    def group(self, name: str, origin: Origin) -> Grouped:
        return self.groups.setdefault(name, Grouped(origin))

    def add_hosts(self, pattern: str, group: str, variables: list[Variable], origin: Origin) -> None:
        """The hosts of one pattern (`web[1:3]`) in a group, with variables of their own."""
        for name in self._names(pattern, origin):
            self.hosts.setdefault(name, origin)
            self.group(group, origin).hosts[name] = None
            # The last value of a variable holds.
            self._own.setdefault(name, [])[:0] = variables

    def variables(self) -> dict[str, list[Variable]]:
        """Each host's variables, the strongest first: its own, then those of its groups from the innermost out."""
        found = {host: list(own) for host, own in self._own.items()}
        depths = self._depths()
        for name in sorted(self.groups, key=lambda name: (depths.get(name, 1), name), reverse=True):
            given = self.groups[name].variables[::-1]
            if given:
                for host in self.hosts if name == "all" else self.members_of(name):
                    found[host] += given
        return found

    def members_of(self, group: str) -> tuple[str, ...]:
        """A group's hosts and those of the groups below it; a circle of groups ends where it began."""
        seen, waiting, found = {group}, [group], set[str]()
        while waiting:
            grouped = self.groups.get(waiting.pop())
            if grouped is not None:
                found.update(grouped.hosts)
                waiting += [child for child in grouped.children if child not in seen]
                seen.update(grouped.children)
        return tuple(name for name in self.hosts if name in found)

    def _depths(self) -> dict[str, int]:
        """How far each group is below `all`, by its longest way there."""
        below = {child for grouped in self.groups.values() for child in grouped.children}
        level = [name for name in self.groups if name not in below]
        depths: dict[str, int] = {}
        # Groups in a circle would go down for ever; no way is longer than there are groups.
        for depth in range(len(self.groups)):
            depths.update(dict.fromkeys(level, depth + 1))
            level = list(dict.fromkeys(child for name in level for child in self.groups[name].children))
        return {**depths, "all": 0}

    def _names(self, pattern: str, origin: Origin) -> tuple[str, ...]:
        ranged = _RANGE.sub(lambda match: f"[{match[1]}-{match[2]}{'/' + match[3] if match[3] else ''}]", pattern)
        try:
            names = expand(ranged)
        except UsageError:
            self.drop(origin, f"the hosts {shown(pattern)}, whose range is not read")
            return ()
        if len(self.hosts.keys() | set(names)) > MOST_SERVERS:
            self.drop(origin, f"the hosts {shown(pattern)}, which are more than {MOST_SERVERS:,} in all")
            return ()
        refusals = [why for name in names if (why := refused("name", name))]
        if refusals:
            more = f" (nor {len(refusals) - 1} more of {shown(pattern)})" if len(refusals) > 1 else ""
            self.drop(origin, refusals[0] + more)
        return tuple(name for name in names if not refused("name", name))
