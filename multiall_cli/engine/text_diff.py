"""Unified diffs of the changes that a sync would make. Equal diffs are shown once for all members that share them."""

import difflib
from collections.abc import Iterator, Mapping

from multiall_cli.domain.answer import Difference
from multiall_cli.engine.observe import Observation
from multiall_cli.engine.subjects import SubjectWork
from multiall_cli.ports.agent import HasText, Known

MOST_LINES = 2000  # lines of one file's diff


def differences(found: Observation) -> tuple[Difference, ...]:
    """Return one entry per file and diff, in the order of the plan."""
    shared: dict[tuple[str, str, tuple[str, ...]], list[str]] = {}
    for work in found.works.values():
        for agent, key, lines in _of_member(work, found.known):
            shared.setdefault((agent, key, lines), []).append(work.name)
    return tuple(
        Difference(tuple(servers), agent, key, lines) for (agent, key, lines), servers in sorted(shared.items())
    )


def _of_member(work: SubjectWork, known: Mapping[str, Known]) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    if any(part.changes for part in work.parts.values()) and not work.is_open:
        work.visit(known)
    for part in work.parts.values():
        session = work.sessions.get(part.agent)
        told: set[str] = set()
        if part.changes and isinstance(session, HasText):
            for key, before, after in session.texts(part.changes):
                told.add(key)
                yield part.agent, key, _unified(before, after)
        for change in part.changes:
            if change.key not in told:
                sides = (
                    f"- {change.before.brief()}" if change.before else "",
                    f"+ {change.after.brief()}" if change.after else "",
                )
                yield part.agent, change.key, tuple(side for side in sides if side)


def _unified(before: bytes, after: bytes) -> tuple[str, ...]:
    if b"\0" in before[:8192] or b"\0" in after[:8192]:
        return (f"binary: {len(before)} B → {len(after)} B",)
    old, new = (text.decode("utf-8", "surrogateescape").splitlines() for text in (before, after))
    lines = list(difflib.unified_diff(old, new, "member", "source", lineterm=""))[2:]
    if len(lines) > MOST_LINES:
        lines = [*lines[:MOST_LINES], f"[... {len(lines) - MOST_LINES} more lines ...]"]
    return tuple(lines)
