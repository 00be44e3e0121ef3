"""Names of zones as values: keys and places, what is told of records, and the worst of several zones."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from multiall_cli.domain.exits import Exit, worst
from multiall_cli.domain.records import Claim, Decision, RRset, ZonePlan, key_of, place_of, rrset_of
from multiall_cli.domain.zones import NameServer, Zone

ONE, TWO = NameServer("ns1", "192.0.2.53"), NameServer("ns2", "192.0.2.54")
_names = st.from_regex(r"([a-z0-9_*-]{1,8}\.){1,5}", fullmatch=True)
_values = st.lists(st.from_regex(r"[a-z0-9.: -]{1,12}", fullmatch=True), min_size=1, max_size=4).map(tuple)


@given(_names, st.sampled_from(["A", "AAAA", "CNAME", "SRV", "PTR", "TXT"]))
def test_a_key_leads_back_to_its_place(name: str, kind: str) -> None:
    assert place_of(key_of((name, kind))) == (name, kind)


@pytest.mark.parametrize(
    ("key", "place"),
    [
        ("www.example.net A", ("www.example.net.", "A")),
        ("www.example.net. A", ("www.example.net.", "A")),
        (". A", (".", "A")),
    ],
)
def test_keys_as_people_write_them(key: str, place: tuple[str, str]) -> None:
    assert place_of(key) == place
    assert place_of(key_of(place)) == place


@given(st.integers(0, 2**31 - 1), _values)
def test_what_is_told_of_records_can_be_had_back(ttl: int, values: tuple[str, ...]) -> None:
    assert rrset_of(RRset(ttl, values).brief()) == RRset(ttl, values)


def test_no_records_are_not_nothing() -> None:
    assert rrset_of("") is None
    assert rrset_of(RRset(0, ()).brief()) == RRset(0, ())


def test_records_are_equal_whatever_mark_stands_beside_them() -> None:
    assert RRset(60, ("a",), "one") == RRset(60, ("a",), "two")
    assert RRset(60, ("a",)) != RRset(61, ("a",))


def test_a_zone_has_its_primary_first_and_a_name_as_people_write_it() -> None:
    assert Zone("example.net.", ONE, (TWO,)).servers == (ONE, TWO)
    assert Zone("example.net.", ONE).shown == "example.net"
    assert Zone(".", ONE).shown == "."


def test_a_plan_tells_why_names_give_others_than_who_is_in() -> None:
    """What health does not decide on has no such notes."""
    claim = Claim(("www.example.net.", "A"), "example.net.", 60, {"web1": "a"}, "web")
    steady = Claim(("web1.example.net.", "A"), "example.net.", 60, {"web1": "a"}, "web", follows=False)
    decisions = (Decision(claim, None, (), ("one", "two")), Decision(steady, None, (), ("three",)))
    plan = ZonePlan(Zone("example.net.", ONE), (), decisions)
    assert plan.notes == ("www.example.net A: one", "www.example.net A: two")


@pytest.mark.parametrize(
    ("codes", "code"),
    [
        ([], Exit.OK),
        ([Exit.OK, Exit.DIFFERENCES], Exit.DIFFERENCES),
        ([Exit.DIFFERENCES, Exit.PARTIAL], Exit.PARTIAL),
        ([Exit.PARTIAL, Exit.REFUSED, Exit.OK], Exit.REFUSED),
        ([Exit.REFUSED, Exit.LOCKED], Exit.LOCKED),
        ([Exit.LOCKED, Exit.INTERRUPTED], Exit.INTERRUPTED),
    ],
)
def test_the_worst_zone_gives_the_exit_code(codes: list[Exit], code: Exit) -> None:
    assert worst(codes) is code
    assert worst(reversed(codes)) is code
