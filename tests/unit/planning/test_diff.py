"""diff and patch undo each other; a plan's id is that of its changes and not of their order."""

from dataclasses import dataclass, replace

from hypothesis import given
from hypothesis import strategies as st

from multiall_cli.domain.change import Action, Change, Overlay
from multiall_cli.domain.plan import AgentPlan
from multiall_cli.domain.scope import Subject
from multiall_cli.planning.diff import diff, patch
from multiall_cli.planning.order import plan_id


@dataclass(frozen=True)
class Thing:
    """The least that an item is."""

    value: int

    def brief(self) -> str:
        return f"thing {self.value}"


_keys = st.text(st.characters(codec="utf-8"), max_size=3) | st.just("\udcff")
snapshots = st.dictionaries(_keys, st.builds(Thing, st.integers(0, 3)), max_size=8)


@given(snapshots, snapshots)
def test_patching_with_the_difference_gives_what_is_wanted(
    observed: dict[str, Thing], desired: dict[str, Thing]
) -> None:
    """Whatever is there and whatever is wanted."""
    assert patch(observed, diff(observed, desired)) == desired


@given(snapshots)
def test_what_is_as_wanted_needs_no_change(there: dict[str, Thing]) -> None:
    """A second plan is empty."""
    assert diff(there, dict(there)) == []


@given(snapshots, snapshots)
def test_changes_are_sorted_and_name_each_key_once(observed: dict[str, Thing], desired: dict[str, Thing]) -> None:
    """Each change's before and after are what was observed and what is wanted."""
    changes = diff(observed, desired)
    keys = [change.key for change in changes]
    assert keys == sorted(set(keys))
    assert all((each.before, each.after) == (observed.get(each.key), desired.get(each.key)) for each in changes)


@given(snapshots, snapshots)
def test_a_snapshot_told_by_what_differs_is_the_snapshot(observed: dict[str, Thing], desired: dict[str, Thing]) -> None:
    """The same mapping, the same size, the same changes."""
    keys = {key for key in observed.keys() | desired.keys() if observed.get(key) != desired.get(key)}
    told = Overlay(desired, {key: observed.get(key) for key in keys})
    assert dict(told) == observed
    assert len(told) == len(observed)
    assert diff(told, desired) == diff(observed, desired)
    assert diff(told, dict(desired)) == diff(observed, desired)


def test_the_action_follows_from_before_and_after() -> None:
    """Nothing before: create; nothing after: delete; both: update."""
    one = Thing(1)
    actions = [Change("k", None, one).action, Change("k", one, None).action, Change("k", one, Thing(2)).action]
    assert actions == [Action.CREATE, Action.DELETE, Action.UPDATE]


def _part(server: str, agent: str, *changes: Change[Thing]) -> AgentPlan[Thing]:
    return AgentPlan("things", agent, (Subject(server, server),), changes, 0)


@given(st.lists(st.tuples(st.sampled_from("ab"), snapshots), min_size=1, max_size=4), st.randoms())
def test_a_plans_id_ignores_the_order(found: list[tuple[str, dict[str, Thing]]], random: object) -> None:
    """Members answer in any order; the id stays."""
    plans = [_part(server, f"{at}", *diff({}, items)) for at, (server, items) in enumerate(found)]
    shuffled = [replace(each, changes=tuple(reversed(each.changes))) for each in plans]
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert plan_id(plans) == plan_id(shuffled)


def test_a_plans_id_tells_every_difference() -> None:
    """Another member, agent, key or item is another plan."""
    change = Change("k", None, Thing(1))
    plans = [
        _part("a", "x", change),
        _part("b", "x", change),
        _part("a", "y", change),
        _part("a", "x", Change("l", None, Thing(1))),
        _part("a", "x", Change("k", None, Thing(2))),
        _part("a", "x", Change("k", Thing(0), Thing(1))),
        _part("a", "x"),
    ]
    assert len({plan_id([plan]) for plan in plans}) == len(plans)
