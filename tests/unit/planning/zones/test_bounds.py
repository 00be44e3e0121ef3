"""Until when clients may use what a zone no longer gives."""

import pytest

from multiall_cli.agents.zones.resolver_cache import bound, held_by_clients
from multiall_cli.domain.change import Change
from multiall_cli.domain.records import RetiredRecord, RRset

WWW, API = ("www.example.net.", "A"), ("api.example.net.", "A")
_Change = Change[RRset]


def change(before: RRset | None, after: RRset | None, key: str = "www.example.net A") -> _Change:
    return Change(key, before, after)


@pytest.mark.parametrize(
    ("before", "after", "gone"),
    [
        (None, RRset(60, ("a",)), []),
        (RRset(60, ("a",)), RRset(60, ("a", "b")), []),
        (RRset(30, ("a",)), RRset(60, ("a",)), []),
        (RRset(60, ("a", "b")), RRset(60, ("b",)), ["a"]),
        (RRset(60, ("a", "b")), RRset(0, ()), ["a", "b"]),
        (RRset(60, ("a", "b")), None, ["a", "b"]),
        (RRset(0, ()), None, []),
    ],
)
def test_what_is_no_longer_given_is_held_for_its_ttl(
    before: RRset | None, after: RRset | None, gone: list[str]
) -> None:
    found = held_by_clients([], [change(before, after)], 1000.0, 0.5)
    assert found == [RetiredRecord(WWW, each, 1060.5) for each in gone]


def test_what_came_back_or_ran_out_is_gone_no_longer() -> None:
    known = [RetiredRecord(WWW, "a", 50.0), RetiredRecord(WWW, "b", 200.0), RetiredRecord(WWW, "c", 200.0)]
    back = [change(RRset(60, ("x",)), RRset(60, ("b", "x")))]
    assert held_by_clients(known, back, 50.0, 0.0) == [
        RetiredRecord(WWW, "b", 200.0, gone=False),
        RetiredRecord(WWW, "c", 200.0),
    ]


def test_what_came_back_to_another_name_is_still_held_of_the_first() -> None:
    known = [RetiredRecord(WWW, "a", 200.0)]
    assert held_by_clients(known, [change(None, RRset(60, ("a",)), "api.example.net A")], 50.0, 0.0) == known


def test_a_shorter_ttl_does_not_shorten_what_clients_hold() -> None:
    lowered = held_by_clients([], [change(RRset(3600, ("a", "b")), RRset(60, ("a", "b")))], 1000.0, 0.0)
    assert lowered == [RetiredRecord(WWW, each, 4600.0, gone=False) for each in ("a", "b")]
    assert bound(lowered) == 0.0
    taken = held_by_clients(lowered, [change(RRset(60, ("a", "b")), RRset(60, ("b",)))], 1010.0, 0.0)
    assert bound(taken) == 4600.0
    back = held_by_clients(taken, [change(RRset(60, ("b",)), RRset(60, ("a", "b")))], 1020.0, 0.0)
    assert bound(back) == 0.0
    again = held_by_clients(back, [change(RRset(60, ("a", "b")), RRset(60, ("b",)))], 4590.0, 1.0)
    assert bound(again) == 4651.0, "the newest answer is held for longest now"


def test_the_last_client_lets_go_with_the_last_record() -> None:
    left = [RetiredRecord(WWW, "a", 100.0), RetiredRecord(API, "b", 160.0)]
    assert bound(left) == 160.0
    assert bound(left, ["a"]) == 100.0
    assert bound(left, ["c"]) == 0.0
    assert bound([]) == 0.0
