"""What stops a plan: each brake at its limit, and what lets it go."""

import pytest

from multiall_cli.agents.zones.guards import CHANGES, EMPTIES, FROZEN, HOUR, NAMES, brakes, limit, losses_of
from multiall_cli.domain.change import Change
from multiall_cli.domain.records import Claim, Decision, RRset, ZonePlan, place_of
from multiall_cli.domain.zones import BelowMinimum, NameServer, Zone
from tests.fixtures.zone_model import UP, topology

ZONE = Zone("example.net.", NameServer("ns1", "192.0.2.53"))
CALM, FROST = topology({"web1": UP}), topology({"web1": UP}, frozen="half of all are silent")
A, B, NONE = RRset(60, ("a",)), RRset(60, ("b",)), RRset(0, ())
_Change = Change[RRset]


def losses(count: int, start: int = 0) -> list[_Change]:
    return [Change(f"n{start + each}.example.net A", A, B) for each in range(count)]


def plan(*changes: _Change, ours: int = 100, zone: Zone = ZONE, decisions: tuple[Decision, ...] = ()) -> ZonePlan:
    return ZonePlan(zone, changes, decisions, ours=ours)


def names(found: ZonePlan, lately: int = 0, **more: object) -> list[str]:
    before = {f"before{number}.example.net A": {"a"} for number in range(lately)}
    return [each.name for each in brakes(found, more.pop("topology", CALM), before, **more)]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("before", "after", "lost"),
    [
        (None, A, False),
        (A, RRset(30, ("a",)), False),
        (A, RRset(60, ("a", "b")), False),
        (NONE, A, False),
        (NONE, None, False),
        (A, B, True),
        (A, NONE, True),
        (A, None, True),
        (RRset(60, ("a", "b")), A, True),
    ],
)
def test_a_loss_is_what_clients_are_given_now_and_no_longer_then(
    before: RRset | None, after: RRset | None, lost: bool
) -> None:
    assert bool(losses_of([Change("www.example.net A", before, after)])) is lost


@pytest.mark.parametrize(("ours", "most"), [(0, 10), (1, 10), (50, 10), (54, 10), (55, 11), (100, 20), (6000, 1200)])
def test_a_fifth_or_ten_names_may_change(ours: int, most: int) -> None:
    assert limit(plan(ours=ours)) == most


@pytest.mark.parametrize(
    ("share", "at_most", "ours", "most"), [(0.0, 0, 50, 0), (0.0, 3, 50, 3), (1.0, 0, 50, 50), (0.5, 40, 50, 40)]
)
def test_a_zone_may_say_otherwise(share: float, at_most: int, ours: int, most: int) -> None:
    zone = Zone(ZONE.name, ZONE.primary, share=share, at_most=at_most)
    assert limit(plan(ours=ours, zone=zone)) == most


def test_nothing_to_change_is_never_stopped() -> None:
    assert names(plan(), topology=FROST, lately=1000) == []


def test_a_frozen_topology_stops_all_that_would_change() -> None:
    grown = Change("www.example.net A", None, A)
    (found,) = brakes(plan(grown), FROST, {})
    assert found.name == FROZEN
    assert "half of all are silent" in found.words
    assert names(plan(grown)) == []


@pytest.mark.parametrize(("count", "found"), [(20, []), (21, [CHANGES])])
def test_as_many_losses_in_one_run_as_the_zone_allows(count: int, found: list[str]) -> None:
    assert names(plan(*losses(count))) == found


@pytest.mark.parametrize(
    ("count", "lately", "found"), [(1, 19, []), (1, 20, [HOUR]), (20, 0, []), (20, 1, [HOUR]), (0, 500, [])]
)
def test_as_many_losses_in_one_hour_as_the_zone_allows(count: int, lately: int, found: list[str]) -> None:
    """Whatever was lost before: where nothing is lost now, nothing is stopped."""
    grown = Change("www.example.net A", A, RRset(60, ("a", "b")))
    assert names(plan(grown, *losses(count)), lately) == found


def test_a_name_that_loses_again_in_the_hour_is_one_name() -> None:
    found = plan(*losses(20))
    assert brakes(found, CALM, losses_of(found.changes)) == []


def of_members(count: int, member: str, value: str) -> tuple[list[_Change], tuple[Decision, ...]]:
    """Names that lose the record of one member."""
    members = {"web1": "192.0.2.1", "web2": "192.0.2.2", "web3": "192.0.2.3"}
    whole = RRset(60, tuple(members.values()))
    less = RRset(60, tuple(each for each in members.values() if each != value))
    keys = [f"{member}-{each}.example.net A" for each in range(count)]
    decisions = [Decision(Claim(place_of(key), ZONE.name, 60, members, "web"), less) for key in keys]
    return [Change(key, whole, less) for key in keys], tuple(decisions)


def test_one_member_that_leaves_its_names_is_one_event_however_many_they_are() -> None:
    changes, decisions = of_members(90, "web1", "192.0.2.1")
    assert names(plan(*changes, decisions=decisions)) == []
    assert names(plan(*changes, *losses(19), decisions=decisions)) == []
    (found,) = brakes(plan(*changes, *losses(20), decisions=decisions), CALM, {})
    assert found.name == CHANGES
    assert found.words.startswith("21 of 100 names, those of web1 taken as one, would lose records in one run;")


def test_two_members_at_once_are_counted() -> None:
    changes, decisions = of_members(30, "web1", "192.0.2.1")
    more, others = of_members(21, "web2", "192.0.2.2")
    assert names(plan(*changes, *more, decisions=decisions + others)) == [CHANGES]
    assert names(plan(*changes, *more[:19], decisions=decisions + others)) == []


def test_one_member_after_another_is_counted_within_the_hour() -> None:
    changes, decisions = of_members(21, "web1", "192.0.2.1")
    more, others = of_members(12, "web2", "192.0.2.2")
    lately = {each.key: {"192.0.2.1"} for each in changes}
    assert [each.name for each in brakes(plan(*more, decisions=decisions + others), CALM, lately)] == []
    (found,) = brakes(plan(*of_members(21, "web2", "192.0.2.2")[0], decisions=decisions), CALM, lately)
    assert found.name == CHANGES, "records of no member's, and names of another's"


def test_members_with_names_of_their_own_that_die_one_after_the_other_in_an_hour_are_an_event_each() -> None:
    zone = Zone(ZONE.name, ZONE.primary, share=0.0, at_most=3)
    first, decisions = of_members(12, "web1", "192.0.2.1")
    second, others = of_members(11, "web2", "192.0.2.2")
    lately = {each.key: {"192.0.2.1"} for each in first}
    dying = plan(*second, decisions=decisions + others, zone=zone)
    assert brakes(dying, CALM, lately) == []
    told = {**lately, **{f"old{number}.example.net A": {"a"} for number in range(2)}}
    (found,) = brakes(dying, CALM, told)
    assert found.words.startswith("1 name, those of web2 taken as one, would lose records, after 3 others")


def test_where_a_zone_allows_nothing_that_is_not_allowed_either() -> None:
    changes, decisions = of_members(1, "web1", "192.0.2.1")
    zone = Zone(ZONE.name, ZONE.primary, at_most=0, share=0.0)
    assert names(plan(*changes, decisions=decisions, zone=zone)) == [CHANGES]


def test_a_member_that_leaves_again_is_no_more() -> None:
    changes, decisions = of_members(90, "web1", "192.0.2.1")
    lately = {each.key: {"192.0.2.1"} for each in changes}
    assert brakes(plan(*changes[:50], decisions=decisions), CALM, lately) == []


def test_growth_has_no_limit() -> None:
    assert names(plan(*(Change(f"n{each}.example.net A", None, A) for each in range(500)))) == []


def floored(key: str, on_floor: BelowMinimum) -> Decision:
    return Decision(Claim(place_of(key), ZONE.name, 60, {"web1": "a"}, "web", on_floor=on_floor), NONE)


def test_a_name_that_would_give_nothing_is_stopped_unless_it_is_meant_to() -> None:
    emptied = Change("www.example.net A", A, NONE)
    assert names(plan(emptied, decisions=(floored("www.example.net A", BelowMinimum.KEEP),))) == [EMPTIES]
    assert names(plan(emptied, decisions=(floored("www.example.net A", BelowMinimum.EMPTY),))) == []
    assert names(plan(emptied)) == [EMPTIES]


def test_the_first_of_several_empty_names_is_told_and_how_many_more() -> None:
    emptied = [Change(f"n{each}.example.net A", A, NONE) for each in range(3)]
    (found,) = brakes(plan(*emptied), CALM, {})
    assert found.words == "n0.example.net A would give nothing at all (and 2 more)"
    (found,) = brakes(plan(emptied[0]), CALM, {})
    assert found.words == "n0.example.net A would give nothing at all"


def test_what_gives_nothing_already_is_no_accident() -> None:
    assert names(plan(Change("www.example.net A", NONE, NONE))) == []


def test_all_of_our_names_are_not_removed_at_once() -> None:
    """But one of two is, the only one is, and what another name takes the place of."""
    removed = [Change(f"n{each}.example.net A", A, None) for each in range(3)]
    assert names(plan(*removed, ours=3)) == [EMPTIES]
    assert names(plan(*removed[:2], ours=3)) == []
    assert names(plan(removed[0], ours=1)) == []
    assert names(plan(*removed, Change("new.example.net A", None, A), ours=3)) == [EMPTIES], "whatever comes instead"


def test_each_brake_is_let_go_by_its_own_name() -> None:
    """In order; letting one go leaves the others."""
    zone = Zone(ZONE.name, ZONE.primary, at_most=0, share=0.0)
    stopped = plan(Change("www.example.net A", A, NONE), zone=zone)
    assert names(stopped, topology=FROST) == [FROZEN, EMPTIES, CHANGES]
    for each in (FROZEN, EMPTIES, CHANGES):
        left = [name for name in (FROZEN, EMPTIES, CHANGES) if name != each]
        assert names(stopped, topology=FROST, forced={each}) == left
    assert names(plan(*losses(1)), lately=20, forced={HOUR}) == []
    assert names(stopped, topology=FROST, forced=set(NAMES)) == []
