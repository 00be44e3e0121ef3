"""What stops a zone's plan that looks like an accident. Each brake can be let go of by its own name, for one run."""

from collections.abc import Sequence, Set

from multiall_cli.domain.change import Change
from multiall_cli.domain.dataclass import dataclass
from multiall_cli.domain.records import RRset, ZonePlan, key_of
from multiall_cli.domain.topology import Topology
from multiall_cli.domain.zones import OnFloor

FROZEN, EMPTIES, CHANGES, HOUR = "frozen", "empties", "changes", "hour"
NAMES = (FROZEN, EMPTIES, CHANGES, HOUR)


@dataclass(frozen=True, slots=True)
class Brake:
    """Why a plan is stopped, with the numbers."""

    name: str
    words: str


def brakes(plan: ZonePlan, topology: Topology, lately: Set[str], forced: Set[str] = frozenset()) -> list[Brake]:
    """What stops a plan, in order. `lately`: the keys that lost records in the last hour."""
    found = [*_frozen(plan, topology), *_empties(plan), *_too_many(plan, lately)]
    return [each for each in found if each.name not in forced]


def limit(plan: ZonePlan) -> int:
    """How many names may change in a run, and in an hour."""
    return max(int(plan.zone.share * plan.ours), plan.zone.at_most)


def is_loss(change: Change[RRset]) -> bool:
    """Whether something that clients are given now is no longer given; what is only added harms no one."""
    return bool(change.before and set(change.before.values) - set(change.after.values if change.after else ()))


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


def _too_many(plan: ZonePlan, lately: Set[str]) -> list[Brake]:
    losing = {each.key for each in plan.changes if is_loss(each)}
    losses, before = len(losing), len(lately - losing)
    most = limit(plan)
    words = f"the zone allows {most} (20 % or 10 unless `share:` and `at_most:` say otherwise)"
    if losses > most:
        return [Brake(CHANGES, f"{losses} of {plan.ours} names would lose records in one run; {words}")]
    if losses and losses + before > most:
        return [Brake(HOUR, f"{losses} names would lose records, after {before} others in the last hour; {words}")]
    return []
