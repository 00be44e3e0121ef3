"""What stops a zone's plan that looks like an accident. Each brake can be let go of by its own name, for one run."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence, Set

from multiall_cli.domain.change import Change
from multiall_cli.domain.dataclass import dataclass
from multiall_cli.domain.records import RRset, ZonePlan, key_of
from multiall_cli.domain.topology import Topology
from multiall_cli.domain.zones import OnFloor

FROZEN, EMPTIES, CHANGES, HOUR = "frozen", "empties", "changes", "hour"
UNSEEN = "unseen"
"""Holds back single names, as a conflict of the plan: those that bear our mark, and that no one saw declared here."""
NAMES = (FROZEN, EMPTIES, CHANGES, HOUR, UNSEEN)


@dataclass(frozen=True, slots=True)
class Brake:
    """Why a plan is stopped, with the numbers."""

    name: str
    words: str


Losses = Mapping[str, Set[str]]
"""The keys that lose records, and which."""


def brakes(plan: ZonePlan, topology: Topology, lately: Losses, forced: Set[str] = frozenset()) -> list[Brake]:
    """What stops a plan, in order. `lately`: what was lost in the last hour."""
    found = [*_frozen(plan, topology), *_empties(plan), *_too_many(plan, lately)]
    return [each for each in found if each.name not in forced]


def limit(plan: ZonePlan) -> int:
    """How many names may change in a run, and in an hour."""
    return max(int(plan.zone.share * plan.ours), plan.zone.at_most)


def losses_of(changes: Iterable[Change[RRset]]) -> dict[str, set[str]]:
    """What clients are given now and no longer then; what is only added harms no one."""
    lost = {each.key: _values(each.before) - _values(each.after) for each in changes}
    return {key: values for key, values in lost.items() if values}


def _values(rrset: RRset | None) -> set[str]:
    return set(rrset.values) if rrset is not None else set()


def _frozen(plan: ZonePlan, topology: Topology) -> list[Brake]:
    if topology.frozen and plan.changes:
        return [Brake(FROZEN, f"the topology is frozen ({topology.frozen}): perhaps it is we who are cut off")]
    return []


def _empties(plan: ZonePlan) -> list[Brake]:
    """A name that is declared and would give nothing, or a zone of which nothing of ours would stay."""
    emptied = [
        each.key for each in plan.changes if each.after and not each.after.values and each.before and each.before.values
    ]
    meant = {key_of(each.claim.place) for each in plan.decisions if each.claim.on_floor is OnFloor.EMPTY}
    unmeant = [key for key in emptied if key not in meant]
    if unmeant:
        return [Brake(EMPTIES, f"{unmeant[0]} would give nothing at all{_more(unmeant)}")]
    removed = [each for each in plan.changes if each.after is None]
    if plan.ours > 1 and len(removed) == plan.ours:  # whatever comes instead: another site may be at work
        return [Brake(EMPTIES, f"all {plan.ours} of our names would be removed")]
    return []


def _more(keys: Sequence[str]) -> str:
    return f" (and {len(keys) - 1} more)" if len(keys) > 1 else ""


def _too_many(plan: ZonePlan, lately: Losses) -> list[Brake]:
    """That one member leaves all of its names, however many, is one event and no accident, and clients must not be sent
    to it until someone has been woken: it counts as one name. So does each member that left in the hour before.
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
        return [Brake(CHANGES, f"{losses} of {plan.ours} names{besides} would lose records in one run; {words}")]
    if losses and losses + earlier > most:
        names = f"{losses} name{'s' if losses > 1 else ''}{besides}"
        told = f"{names} would lose records, after {earlier} others in the last hour"
        return [Brake(HOUR, f"{told}; {words}")]
    return []


def _whose(lost: Losses, owners: Mapping[tuple[str, str], str]) -> dict[str, str]:
    """The keys that lose the records of one member and no others, and the member."""
    found = {key: {owners.get((key, value), "") for value in values} for key, values in lost.items()}
    return {key: name for key, names in found.items() if len(names) == 1 for name in names if name}


def _events(lost: Losses, whose: Mapping[str, str]) -> int:
    """How many losses there are, where those of a member are one together."""
    return len(lost) - len(whose) + len(set(whose.values()))


def _owners(plan: ZonePlan) -> dict[tuple[str, str], str]:
    """(key, record) → the member whose record it is."""
    claims = [each.claim for each in plan.decisions]
    return {(key_of(claim.place), value): name for claim in claims for name, value in claim.values.items()}


def _most_frequent(names: Iterable[str]) -> str:
    """'' where there is none."""
    counted = Counter(names)
    return min(counted, key=lambda name: (-counted[name], name), default="")
