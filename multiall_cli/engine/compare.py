"""Shows as text what a sync would change: unified diffs, equal ones told once for all members that share them."""

import difflib
from collections.abc import Iterator

from multiall_cli.domain.answer import Difference
from multiall_cli.engine.look import Seen, Sight
from multiall_cli.ports.agent import Legible

MOST_LINES = 2000  # of one file's diff


def differences(sight: Sight) -> tuple[Difference, ...]:
    """One entry per file and wording, in the order of the plan."""
    shared: dict[tuple[str, str, tuple[str, ...]], list[str]] = {}
    for member in sight.seen.values():
        for agent, key, lines in _of_member(member):
            shared.setdefault((agent, key, lines), []).append(member.server.name)
    return tuple(
        Difference(tuple(servers), agent, key, lines) for (agent, key, lines), servers in sorted(shared.items())
    )


def _of_member(member: Seen) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    for plan in member.plans:
        agent = member.agents[plan.agent]
        told = set()
        if isinstance(agent, Legible):
            for key, before, after in agent.texts(member.session, plan.changes):
                told.add(key)
                yield plan.agent, key, _unified(before, after)
        for change in plan.changes:
            if change.key not in told:
                sides = (
                    f"- {change.before.brief()}" if change.before else "",
                    f"+ {change.after.brief()}" if change.after else "",
                )
                yield plan.agent, change.key, tuple(side for side in sides if side)


def _unified(before: bytes, after: bytes) -> tuple[str, ...]:
    if b"\0" in before[:8192] or b"\0" in after[:8192]:
        return (f"binary: {len(before)} B → {len(after)} B",)
    old, new = (text.decode("utf-8", "surrogateescape").splitlines() for text in (before, after))
    lines = list(difflib.unified_diff(old, new, "member", "source", lineterm=""))[2:]
    if len(lines) > MOST_LINES:
        lines = [*lines[:MOST_LINES], f"[... {len(lines) - MOST_LINES} more lines ...]"]
    return tuple(lines)
