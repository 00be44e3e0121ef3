"""Brakes that stop a zone's plan if it looks like an accident. Each can be overridden by name, for one run."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence, Set

from multiall_cli.domain.change import Change
from multiall_cli.domain.dataclass import dataclass
from multiall_cli.domain.records import RRset, ZonePlan, key_of
from multiall_cli.domain.topology import Topology
from multiall_cli.domain.zones import BelowMinimum

FROZEN, EMPTIES, CHANGES, HOUR = "frozen", "empties", "changes", "hour"
UNSEEN = "unseen"
"""Holds back single names as conflicts of the plan: those that bear our mark, but were never declared here."""
NAMES = (FROZEN, EMPTIES, CHANGES, HOUR, UNSEEN)


@dataclass(frozen=True, slots=True)
class ZoneAlarm:
    """Reason why a plan is stopped, with the numbers."""

    name: str
    words: str


Losses = Mapping[str, Set[str]]
"""key → the records that it loses."""


def brakes(plan: ZonePlan, topology: Topology, lately: Losses, forced: Set[str] = frozenset()) -> list[ZoneAlarm]:
    """Return the brakes that stop a plan, in order. `lately`: losses of the last hour."""
    found = [*_frozen(plan, topology), *_empties(plan), *_too_many(plan, lately)]
    return [each for each in found if each.name not in forced]


def limit(plan: ZonePlan) -> int:
    """Return how many names may lose records in a run, and in an hour."""
    return max(int(plan.zone.share * plan.ours), plan.zone.at_most)


def losses_of(changes: Iterable[Change[RRset]]) -> dict[str, set[str]]:
    """Return the records that clients lose. Additions harm no one."""
    lost = {each.key: _values(each.before) - _values(each.after) for each in changes}
    return {key: values for key, values in lost.items() if values}


def _values(rrset: RRset | None) -> set[str]:
    return set(rrset.values) if rrset is not None else set()


def _frozen(plan: ZonePlan, topology: Topology) -> list[ZoneAlarm]:
    if topology.frozen and plan.changes:
        return [ZoneAlarm(FROZEN, f"the topology is frozen ({topology.frozen}): perhaps it is we who are cut off")]
    return []


def _empties(plan: ZonePlan) -> list[ZoneAlarm]:
    """Stop a declared name that would become empty, and a zone that would lose all our names."""
    emptied = [
        each.key for each in plan.changes if each.after and not each.after.values and each.before and each.before.values
    ]
    meant = {key_of(each.claim.place) for each in plan.decisions if each.claim.on_floor is BelowMinimum.EMPTY}
    unmeant = [key for key in emptied if key not in meant]
    if unmeant:
        return [ZoneAlarm(EMPTIES, f"{unmeant[0]} would give nothing at all{_more(unmeant)}")]
    removed = [each for each in plan.changes if each.after is None]
    if plan.ours > 1 and len(removed) == plan.ours:  # whatever replaces them: another site may be at work
        return [ZoneAlarm(EMPTIES, f"all {plan.ours} of our names would be removed")]
    return []


def _more(keys: Sequence[str]) -> str:
    return f" (and {len(keys) - 1} more)" if len(keys) > 1 else ""


def _too_many(plan: ZonePlan, lately: Losses) -> list[ZoneAlarm]:
    """Stop a plan with too many losses.

    A member that leaves all of its names, however many, is one event and no accident. Its removal must not wait for
    an operator, since clients would still be sent to it. So it counts as one name, and so does each member that left
    in the hour before.
    """
    now, owners = losses_of(plan.changes), _owners(plan)
    before = {key: values for key, values in lately.items() if key not in now}
    leaving = _whose(now, owners)
    one = _most_frequent(leaving.values())
    losses = _events(now, {key: name for key, name in leaving.items() if name == one})
    earlier, most = _events(before, _whose(before, owners)), limit(plan)
    besides = f", those of {one} taken as one," if one else ""
    words = f"the zone allows {most} (20 % or 10 unless `share:` and `at_most:` say otherwise)"
    if losses > most:
        return [ZoneAlarm(CHANGES, f"{losses} of {plan.ours} names{besides} would lose records in one run; {words}")]
    if losses and losses + earlier > most:
        names = f"{losses} name{'s' if losses > 1 else ''}{besides}"
        told = f"{names} would lose records, after {earlier} others in the last hour"
        return [ZoneAlarm(HOUR, f"{told}; {words}")]
    return []


def _whose(lost: Losses, owners: Mapping[tuple[str, str], str]) -> dict[str, str]:
    """Return the keys that lose records of exactly one member → that member."""
    found = {key: {owners.get((key, value), "") for value in values} for key, values in lost.items()}
    return {key: name for key, names in found.items() if len(names) == 1 for name in names if name}


def _events(lost: Losses, whose: Mapping[str, str]) -> int:
    """Return the number of losses, with all losses of one member counted as one."""
    return len(lost) - len(whose) + len(set(whose.values()))


def _owners(plan: ZonePlan) -> dict[tuple[str, str], str]:
    """Return (key, record) → the member that it belongs to."""
    claims = [each.claim for each in plan.decisions]
    return {(key_of(claim.place), value): name for claim in claims for name, value in claim.values.items()}


def _most_frequent(names: Iterable[str]) -> str:
    """Return the most frequent name, or '' if there is none."""
    counted = Counter(names)
    return min(counted, key=lambda name: (-counted[name], name), default="")
