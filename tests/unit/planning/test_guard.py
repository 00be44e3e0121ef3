"""Plans that look like an accident are refused, with the numbers and the flag; batches and failures are counted."""

from dataclasses import replace

import pytest

from multiall_cli.agents.files import FileItem, FileKind
from multiall_cli.domain.change import Change
from multiall_cli.domain.errors import Refused
from multiall_cli.domain.exits import Exit
from multiall_cli.domain.inventory import GuardLimit, Rollout
from multiall_cli.domain.plan import AgentPlan, Plan
from multiall_cli.domain.scope import Subject, pool_scope
from multiall_cli.domain.values import Amount
from multiall_cli.planning.guard import CHANGES, DELETIONS, EMPTIES, alarms, check
from multiall_cli.planning.order import batches, grouped, plan_id, too_many_failed

OLD, NEW = FileItem(FileKind.FILE, 3, "0ld"), FileItem(FileKind.FILE, 3, "new")
DRESSED = FileItem(FileKind.FILE, 3, "0ld", mode=0o600)


def _whole(*parts: AgentPlan) -> Plan:  # type: ignore[type-arg]
    found = tuple(alarm for part in parts for alarm in alarms(part, {}))
    return Plan(pool_scope("web"), (), parts, (), alarms=found)


def _plan(observed: int, *, deleted: int = 0, replaced: int = 0, created: int = 0, dressed: int = 0) -> AgentPlan:  # type: ignore[type-arg]
    changes = [Change(f"d{at}", OLD, None) for at in range(deleted)]
    changes += [Change(f"r{at}", OLD, NEW) for at in range(replaced)]
    changes += [Change(f"c{at}", None, NEW) for at in range(created)]
    changes += [Change(f"m{at}", OLD, DRESSED) for at in range(dressed)]
    return AgentPlan("files", "files:/srv", (Subject("web1", "web1"),), tuple(changes), observed)


@pytest.mark.parametrize(
    ("plan", "guards"),
    [
        (_plan(100, deleted=30), []),
        (_plan(100, deleted=31), [DELETIONS]),
        (_plan(100, replaced=31), [CHANGES]),
        (_plan(100, deleted=31, replaced=31), [DELETIONS, CHANGES]),
        (_plan(100, dressed=100), []),
        (_plan(100, created=1000), []),
        (_plan(0, created=1000), []),
        (_plan(9, deleted=8), []),
        (_plan(10, deleted=3), []),
        (_plan(10, deleted=4), [DELETIONS]),
        (_plan(3, deleted=3), [EMPTIES]),
        (_plan(3, deleted=3, created=1), []),
        (_plan(20, deleted=20), [EMPTIES, DELETIONS]),
    ],
)
def test_what_looks_like_an_accident(plan: AgentPlan, guards: list[str]) -> None:  # type: ignore[type-arg]
    """30 % of ten items and more; an emptied tree of any size; new attributes and new items are none."""
    assert [alarm.guard for alarm in alarms(plan, {})] == [f"files.{each}" for each in guards]


def test_a_site_may_set_its_own_limits() -> None:
    """A share and a number of items, by guard."""
    limits = {DELETIONS: GuardLimit(share=0.05, at_least=100)}
    assert [alarm.guard for alarm in alarms(_plan(100, deleted=6), limits)] == ["files.deletions"]
    assert alarms(_plan(99, deleted=60), limits) == []


@pytest.mark.parametrize(
    ("plan", "words"),
    [
        (_plan(50, deleted=20), "files:/srv on web1 would delete 20 of 50 items (40 %)"),
        (_plan(50, replaced=25), "files:/srv on web1 would replace 25 of 50 items (50 %)"),
        (_plan(4, deleted=4), "files:/srv on web1 would delete 4 of 4 items (100 %)"),
    ],
)
def test_a_refusal_names_the_numbers_and_the_flag(plan: AgentPlan, words: str) -> None:  # type: ignore[type-arg]
    """So that the admin can judge without looking anything up."""
    with pytest.raises(Refused) as told:
        check(_whole(plan))
    guard = alarms(plan, {})[0].guard
    assert str(told.value) == (
        f"pool web: {words}; that looks like an accident, so nothing was changed; "
        f"look at `multiall pool plan web`, and if it is meant: --force-guard {guard}"
    )
    assert told.value.exit_code is Exit.REFUSED


def test_many_alarms_are_counted_and_all_their_flags_named() -> None:
    """One line, whatever the number of members."""
    plans = (_plan(50, deleted=20), _plan(50, replaced=20), _plan(50, deleted=30))
    with pytest.raises(
        Refused, match=r"and 2 more like it.*--force-guard files.deletions --force-guard files.changes$"
    ):
        check(_whole(*plans))


def _sizes(count: int, *sizes: Amount) -> list[int]:
    return [len(batch) for batch in batches([f"s{at}" for at in range(count)], Rollout(sizes))]


@pytest.mark.parametrize(
    ("count", "sizes", "found"),
    [
        (0, (Amount(1),), []),
        (5, (Amount(100, percent=True),), [5]),
        (10, (Amount(1), Amount(25, percent=True)), [1, 3, 3, 3]),
        (5, (Amount(2),), [2, 2, 1]),
        (3, (Amount(1), Amount(50)), [1, 2]),
        (3, (Amount(1, percent=True),), [1, 1, 1]),
    ],
)
def test_batches(count: int, sizes: tuple[Amount, ...], found: list[int]) -> None:
    """Canary first; the last size repeats; shares are rounded up; every member is in one batch."""
    assert _sizes(count, *sizes) == found


@pytest.mark.parametrize(
    ("failed", "total", "limit", "stop"),
    [
        (5, 5, None, False),
        (0, 10, Amount(0), False),
        (1, 10, Amount(0), True),
        (2, 10, Amount(2), False),
        (3, 10, Amount(2), True),
        (1, 8, Amount(10, percent=True), True),
        (1, 10, Amount(10, percent=True), False),
        (2, 10, Amount(10, percent=True), True),
    ],
)
def test_too_many_failed(failed: int, total: int, limit: Amount | None, stop: bool) -> None:
    """More than the limit; shares of a small pool are rounded down, so that one failure already ends it."""
    assert too_many_failed(failed, total, Rollout(max_fail=limit)) is stop


def test_equal_parts_are_one_with_one_alarm_for_all_their_members() -> None:
    """The servers are folded in its words."""
    parts = [replace(_plan(50, deleted=20), subjects=(Subject(f"web{at}", f"web{at}"),)) for at in (1, 2, 3)]
    (whole,) = grouped(parts)
    assert [alarm.what for alarm in alarms(whole, {})] == [
        "files:/srv on web[1-3] would delete 20 of 50 items (40 %)",
    ]
    assert plan_id([whole]) == plan_id(parts)
