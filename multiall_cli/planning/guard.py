"""Refuses plans that look like an accident: too many deletions, too much replaced, everything gone."""

from collections.abc import Mapping, Set

from multiall_cli.domain.change import Action, Change, Describable, MemberPlan, Plan
from multiall_cli.domain.dataclass import dataclass
from multiall_cli.domain.errors import Refused
from multiall_cli.domain.inventory import GuardLimit
from multiall_cli.planning.guard_names import FILES, flags

DELETIONS, CHANGES, EMPTIES = "deletions", "changes", "empties"
NAMES = (DELETIONS, CHANGES, EMPTIES)
DEFAULTS: Mapping[str, GuardLimit] = {
    DELETIONS: GuardLimit(share=0.30, at_least=10),
    CHANGES: GuardLimit(share=0.30, at_least=10),
}


@dataclass(frozen=True, slots=True)
class Alarm:
    """Why a plan was stopped, with the numbers, and the guard's name for --force-guard."""

    guard: str
    server: str
    agent: str
    count: int
    observed: int

    def __str__(self) -> str:
        words = "replace" if self.guard == CHANGES else "delete"
        share = f" ({100 * self.count / self.observed:.0f} %)" if self.observed else ""
        return f"{self.agent} on {self.server} would {words} {self.count} of {self.observed} items{share}"


def _replaces(change: Change[Describable]) -> bool:
    """Whether content is lost; new attributes on the same content are no accident."""
    before, after = change.before, change.after
    if before is None or after is None:
        return False
    return getattr(before, "content", before) != getattr(after, "content", after)


def alarms(plan: MemberPlan[Describable], limits: Mapping[str, GuardLimit]) -> list[Alarm]:
    """What looks like an accident in one member's plan."""
    deletions = sum(1 for change in plan.changes if change.action is Action.DELETE)
    replaced = sum(1 for change in plan.changes if _replaces(change))
    created = sum(1 for change in plan.changes if change.action is Action.CREATE)
    found = []
    if deletions and deletions >= plan.observed and not created:
        found.append(Alarm(EMPTIES, plan.server, plan.agent, deletions, plan.observed))
    for guard, count in ((DELETIONS, deletions), (CHANGES, replaced)):
        limit = limits.get(guard, DEFAULTS[guard])
        if plan.observed >= limit.at_least and count > limit.share * plan.observed:
            found.append(Alarm(guard, plan.server, plan.agent, count, plan.observed))
    return found


def check(plan: Plan, limits: Mapping[str, GuardLimit], forced: Set[str] = frozenset()) -> None:
    """Let the plan pass, or say why not. Errors: Refused, naming the numbers and the flag."""
    found = [alarm for member in plan.members for alarm in alarms(member, limits) if alarm.guard not in forced]
    if not found:
        return
    guards = list(dict.fromkeys(alarm.guard for alarm in found))
    more = f" (and {len(found) - 1} more like it)" if len(found) > 1 else ""
    raise Refused(
        f"pool {plan.pool}",
        f"{found[0]}{more}; that looks like an accident, so nothing was changed",
        f"look at `multiall pool plan {plan.pool}`, and if it is meant: {flags(FILES, guards)}",
    )
