"""Hosts, groups and variables with Ansible's meaning, whatever the file format."""

import re
from collections.abc import Sequence
from dataclasses import field
from itertools import product
from string import ascii_letters

from multiall_cli.adapters.site.imports.result import SkippedEntry, refusal
from multiall_cli.adapters.site.servers import MOST_SERVERS
from multiall_cli.domain.dataclass import dataclass
from multiall_cli.domain.errors import Origin
from multiall_cli.planning.targets.ranges import LIMIT, shown

_RANGE = re.compile(r"\[(?P<first>[0-9]*|[A-Za-z]):(?P<last>[0-9]+|[A-Za-z])(?::(?P<step>[0-9]{1,9}))?\]")
MOST_DIGITS = 15
PRIORITY = "ansible_group_priority"


@dataclass(frozen=True, slots=True)
class AnsibleVariable:
    """A variable as written; `value` None: a list, a mapping or a tagged value."""

    name: str
    value: str | None
    origin: Origin


@dataclass(slots=True)
class AnsibleGroup:
    """One group while its files are read."""

    origin: Origin
    hosts: dict[str, None] = field(default_factory=dict)
    children: dict[str, None] = field(default_factory=dict)
    variables: list[AnsibleVariable] = field(default_factory=list)


@dataclass(slots=True)
class AnsibleInventory:
    """The contents of an inventory, in its order."""

    hosts: dict[str, Origin] = field(default_factory=dict)
    groups: dict[str, AnsibleGroup] = field(default_factory=dict)
    skipped: list[SkippedEntry] = field(default_factory=list)
    _own: dict[str, list[AnsibleVariable]] = field(default_factory=dict)

    def skip(self, origin: Origin, what: str) -> None:
        self.skipped.append(SkippedEntry(origin, what))

    def group(self, name: str, origin: Origin) -> AnsibleGroup:
        return self.groups.setdefault(name, AnsibleGroup(origin))

    def add_hosts(self, pattern: str, group: str, variables: list[AnsibleVariable], origin: Origin) -> None:
        """Add the hosts of one pattern (`web[1:3]`) to a group, with their own variables."""
        for name in self._names(pattern, origin):
            self.hosts.setdefault(name, origin)
            self.group(group, origin).hosts[name] = None
            # The last value of a variable wins.
            self._own.setdefault(name, [])[:0] = variables[::-1]

    def variables(self) -> dict[str, list[AnsibleVariable]]:
        """Return each host's variables, the strongest first: its own, then its groups' from the innermost out."""
        found = {host: list(own) for host, own in self._own.items()}
        depths = self._depths()
        for name in sorted(
            self.groups, key=lambda name: (depths.get(name, 1), self._priority(name), name), reverse=True
        ):
            values = [each for each in self.groups[name].variables[::-1] if each.name != PRIORITY]
            if values:
                for host in self.hosts if name == "all" else self.members_of(name):
                    found[host] += values
        return found

    def _priority(self, name: str) -> int:
        """Return the group's priority: among groups of equal depth, the higher one wins."""
        priorities = [each.value or "" for each in self.groups[name].variables if each.name == PRIORITY]
        return int(priorities[-1]) if priorities and re.fullmatch("-?[0-9]{1,9}", priorities[-1]) else 1

    def members_of(self, group: str) -> tuple[str, ...]:
        """Return the hosts of a group and of the groups below it; cycles are allowed."""
        seen, waiting, found = {group}, [group], set[str]()
        while waiting:
            entry = self.groups.get(waiting.pop())
            if entry is not None:
                found.update(entry.hosts)
                waiting += [child for child in entry.children if child not in seen]
                seen.update(entry.children)
        return tuple(name for name in self.hosts if name in found)

    def _depths(self) -> dict[str, int]:
        """Return how far each group is below `all`, by its longest path."""
        below = {child for entry in self.groups.values() for child in entry.children}
        level = [name for name in self.groups if name not in below]
        depths: dict[str, int] = {}
        # Groups in a cycle would go down for ever; no path is longer than the number of groups.
        for depth in range(len(self.groups)):
            depths.update(dict.fromkeys(level, depth + 1))
            level = list(dict.fromkeys(child for name in level for child in self.groups[name].children))
        return {**depths, "all": 0}

    def _names(self, pattern: str, origin: Origin) -> tuple[str, ...]:
        names = _expanded(pattern)
        if names is None:
            self.skip(origin, f"the hosts {shown(pattern)}, whose range is not supported")
            return ()
        if len(self.hosts.keys() | set(names)) > MOST_SERVERS:
            self.skip(origin, f"the hosts {shown(pattern)}, which are more than {MOST_SERVERS:,} in all")
            return ()
        refusals = [why for name in names if (why := refusal("name", name))]
        if refusals:
            more = f" (nor {len(refusals) - 1} more of {shown(pattern)})" if len(refusals) > 1 else ""
            self.skip(origin, refusals[0] + more)
        return tuple(name for name in names if not refusal("name", name))


def _expanded(pattern: str) -> tuple[str, ...] | None:
    """Return the names of Ansible's ranges: `[1:3]`, `[01:10]`, `[0:9:2]`, `[a:f]`; None if one is invalid."""
    parts: list[Sequence[str]] = []
    end, many = 0, 1
    for match in _RANGE.finditer(pattern):
        choices = _choices(match["first"] or "0", match["last"], int(match["step"] or 1))
        many *= len(choices)
        if not choices or many > LIMIT:
            return None
        parts += [(pattern[end : match.start()],), choices]
        end = match.end()
    rest = pattern[end:]
    if any(sign in "[]" for part in [*parts[::2], (rest,)] for sign in part[0]):
        return None
    return tuple(dict.fromkeys("".join(each) for each in product(*parts, (rest,))))


def _choices(first: str, last: str, step: int) -> Sequence[str]:
    """Return the values of one range; none if its ends do not match, or are too far apart."""
    if first.isdigit() != last.isdigit() or not step:
        return ()
    if not first.isdigit():
        return ascii_letters[ascii_letters.index(first) : ascii_letters.index(last) + 1 : step]
    width = len(first) if len(first) > 1 and first[0] == "0" else 0
    if (width and len(last) != width) or len(last) > MOST_DIGITS:
        return ()
    numbers = range(int(first), int(last) + 1, step)
    return [str(number).zfill(width) for number in numbers] if len(numbers) <= LIMIT else ()
