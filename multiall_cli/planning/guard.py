"""Guards against accidents: plans with too many deletions, too many replacements, or nothing left."""

from collections.abc import Mapping
from typing import Any

from multiall_cli.domain.change import Action, Change, Describable
from multiall_cli.domain.errors import Refused
from multiall_cli.domain.inventory import GuardLimit
from multiall_cli.domain.plan import AgentPlan, Alarm, Plan
from multiall_cli.planning.guard_names import flag
from multiall_cli.planning.targets import fold

DELETIONS, CHANGES, EMPTIES = "deletions", "changes", "empties"
NAMES = (DELETIONS, CHANGES, EMPTIES)
DEFAULTS: Mapping[str, GuardLimit] = {
    DELETIONS: GuardLimit(share=0.30, at_least=10),
    CHANGES: GuardLimit(share=0.30, at_least=10),
}


def _replaces(change: Change[Describable]) -> bool:
    """Return whether content is lost. New attributes of the same content are harmless."""
    before, after = change.before, change.after
    if before is None or after is None:
        return False
    return getattr(before, "content", before) != getattr(after, "content", after)


def alarms(part: AgentPlan[Any], limits: Mapping[str, GuardLimit]) -> list[Alarm]:
    """Return the alarms that the plan of one agent raises."""
    deletions = sum(1 for change in part.changes if change.action is Action.DELETE)
    replaced = sum(1 for change in part.changes if _replaces(change))
    created = sum(1 for change in part.changes if change.action is Action.CREATE)
    found = []
    if deletions and deletions >= part.size and not created:
        found.append(_alarm(part, EMPTIES, deletions))
    for guard, count in ((DELETIONS, deletions), (CHANGES, replaced)):
        limit = limits.get(guard, DEFAULTS[guard])
        if part.size >= limit.at_least and count > limit.share * part.size:
            found.append(_alarm(part, guard, count))
    return found


def _alarm(part: AgentPlan[Any], guard: str, count: int) -> Alarm:
    words = "replace" if guard == CHANGES else "delete"
    share = f" ({100 * count / part.size:.0f} %)" if part.size else ""
    servers = fold(part.servers)
    what = f"{part.agent} on {servers} would {words} {count} of {part.size} items{share}"
    return Alarm(f"{part.kind}.{guard}", servers, what)


def check(plan: Plan) -> None:
    """Accept a plan without alarms. Raises Refused, with the numbers and the options that override the guards."""
    if not (found := plan.alarms):
        return
    flags = " ".join(dict.fromkeys(flag(each.guard) for each in found))
    more = f" (and {len(found) - 1} more like it)" if len(found) > 1 else ""
    first = found[0]
    where = "" if first.subject in first.what or first.subject == plan.scope.name else f"{first.subject}: "
    what = f"{where}{first.what}{more}; that looks like an accident, so nothing was changed"
    command = f"multiall {plan.scope.noun} plan {plan.scope.name}"
    raise Refused(str(plan.scope), what, f"look at `{command}`, and if it is meant: {flags}")
