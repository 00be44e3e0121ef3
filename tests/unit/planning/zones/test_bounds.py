"""Until when clients may use what a zone no longer gives."""

import pytest

from multiall_cli.domain.change import Change
from multiall_cli.domain.records import Departure, RRset
from multiall_cli.planning.zones.bounds import bound, departures, still_out

WWW, API = ("www.example.net.", "A"), ("api.example.net.", "A")
_Change = Change[RRset]


def change(before: RRset | None, after: RRset | None, key: str = "www.example.net A") -> _Change:
    return Change(key, before, after)


@pytest.mark.parametrize(
    ("before", "after", "gone"),
    [
        (None, RRset(60, ("a",)), []),
        (RRset(60, ("a",)), RRset(60, ("a", "b")), []),
        (RRset(60, ("a",)), RRset(30, ("a",)), []),
        (RRset(60, ("a", "b")), RRset(60, ("b",)), ["a"]),
        (RRset(60, ("a", "b")), RRset(0, ()), ["a", "b"]),
        (RRset(60, ("a", "b")), None, ["a", "b"]),
        (RRset(0, ()), None, []),
    ],
)
def test_what_is_no_longer_given_departs(before: RRset | None, after: RRset | None, gone: list[str]) -> None:
    found = departures([change(before, after)], 1000.0, 0.5)
    assert found == [Departure(WWW, each, 1060.5) for each in gone]


def test_what_came_back_or_ran_out_is_held_by_no_one() -> None:
    known = [Departure(WWW, "a", 50.0), Departure(WWW, "b", 200.0), Departure(WWW, "c", 200.0)]
    back = [change(RRset(60, ("x",)), RRset(60, ("b", "x"))), change(RRset(60, ("a",)), None, "api.example.net A")]
    assert still_out(known, [], back, 50.0) == [Departure(WWW, "c", 200.0)]


def test_what_came_back_to_another_name_is_still_held_of_the_first() -> None:
    known = [Departure(WWW, "a", 200.0)]
    assert still_out(known, [], [change(None, RRset(60, ("a",)), "api.example.net A")], 50.0) == known


def test_the_later_of_two_departures_of_one_record_holds() -> None:
    early, late, other = Departure(WWW, "a", 100.0), Departure(WWW, "a", 160.0), Departure(API, "a", 90.0)
    assert still_out([early], [late, other], [], 50.0) == [late, other]
    assert still_out([late], [early], [], 50.0) == [late]


def test_the_last_client_lets_go_with_the_last_record() -> None:
    left = [Departure(WWW, "a", 100.0), Departure(API, "b", 160.0)]
    assert bound(left) == 160.0
    assert bound(left, ["a"]) == 100.0
    assert bound(left, ["c"]) == 0.0
    assert bound([]) == 0.0
