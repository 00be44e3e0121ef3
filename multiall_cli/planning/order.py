"""Order in which members are changed, and the limit of failures that stops a run."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from multiall_cli.domain.inventory import Rollout
from multiall_cli.domain.plan import AgentPlan


def grouped(parts: Sequence[AgentPlan[Any]]) -> tuple[AgentPlan[Any], ...]:
    """Merge parts with equal changes into one with all their subjects, in the order of the first of each."""
    alike: dict[tuple[object, ...], list[AgentPlan[Any]]] = {}
    for part in parts:
        words = (part.handlers, part.conflicts, part.unmet, part.notes)
        alike.setdefault((part.agent, part.changes, part.size, *words), []).append(part)
    return tuple(
        replace(group[0], subjects=tuple(subject for part in group for subject in part.subjects))
        for group in alike.values()
    )


def plan_id(parts: Iterable[AgentPlan[Any]], pending: Iterable[tuple[str, str]] = ()) -> str:
    """Return a hash of all changes and handlers, as 12 hex digits. Equal plans have equal ids, whatever their order."""
    lines = [*map(repr, pending)]
    for part in parts:
        changes = [(change.key, change.before, change.after) for change in part.changes]
        for server in part.servers:
            lines += [repr((server, handler)) for handler in part.handlers]
            lines += [repr((server, part.agent, *change)) for change in changes]
    whole = hashlib.sha256()
    for line in sorted(lines):
        whole.update(line.encode("utf-8", "surrogateescape") + b"\n")
    return whole.hexdigest()[:12]


def batches(servers: Sequence[str], rollout: Rollout) -> list[tuple[str, ...]]:
    """Split the members into batches of the declared sizes (canary first); the last size repeats."""
    out, place, turn = [], 0, 0
    while place < len(servers):
        size = rollout.batch[min(turn, len(rollout.batch) - 1)].of(len(servers))
        out.append(tuple(servers[place : place + size]))
        place += size
        turn += 1
    return out


def too_many_failed(failed: int, total: int, rollout: Rollout) -> bool:
    """Return whether the run must stop: more than `max_fail` of all members failed or were unreachable.

    A percentage is rounded down here, so that `10%` of 8 members tolerates no failure.
    """
    if rollout.max_fail is None:
        return False
    limit = rollout.max_fail
    allowed = total * limit.number // 100 if limit.percent else limit.number
    return failed > allowed
