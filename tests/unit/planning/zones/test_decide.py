"""Who is in a name: where members stand, the floors, what waits, and how long records live."""

from collections.abc import Mapping
from dataclasses import replace

import pytest

from multiall_cli.agents.zones.membership import ServedRecords, decide, short_lived, standing
from multiall_cli.domain.records import Claim, Decision, Membership, RRset
from multiall_cli.domain.topology import Downtime, DowntimeKind
from multiall_cli.domain.values import Amount
from multiall_cli.domain.zones import BelowMinimum
from tests.fixtures.zone_model import (
    CRITICAL,
    DOWN,
    DRAINED,
    FLAPPING,
    HELD,
    INSIDE,
    LOOKS,
    NOW,
    OUTSIDE,
    PINNED_DOWN,
    PINNED_UP,
    STALE,
    UNCLEAR,
    UNSEEN,
    UP,
    WARNED,
    topology,
)

MEMBERS = {"web1": "192.0.2.1", "web2": "192.0.2.2", "web3": "192.0.2.3"}
SORRY = ("192.0.2.99",)
SUSPECT = "suspect"


def claim(**more: object) -> Claim:
    return Claim(("www.example.net.", "A"), "example.net.", 60, MEMBERS, "web", **more)  # type: ignore[arg-type]


def numbered(values: str) -> tuple[str, ...]:
    """`12`: the addresses of web1 and web2; `s`: that of the server that says sorry."""
    return tuple(sorted(SORRY[0] if each == "s" else f"192.0.2.{each}" for each in values))


def decided(
    looks: str | Mapping[str, str], there: str | None = "123", since: float = 100.0, **more: object
) -> Decision:
    """`looks`: of each member in turn; `there`: as of `numbered`; `since`: seconds since it was written."""
    seen = looks if isinstance(looks, Mapping) else dict(zip(MEMBERS, looks.split(", "), strict=True))
    found = ServedRecords() if there is None else ServedRecords(RRset(60, numbered(there)), NOW - since)
    return decide(claim(**more), found, topology(seen), NOW, 10.0)


def given_now(found: Decision) -> str:
    values = found.wanted.values if found.wanted else ()
    return "".join(sorted("s" if each in SORRY else each[-1] for each in values))


@pytest.mark.parametrize(
    ("look", "stand", "words"),
    [
        (UP, Membership.IN, "it is up"),
        (WARNED, Membership.IN, "it is up and well"),
        (PINNED_UP, Membership.IN, "pinned up: work"),
        (DOWN, Membership.OUT, "it is down: it says so"),
        (CRITICAL, Membership.OUT, "its rules say 401 wrong state"),
        (DRAINED, Membership.OUT, "drain: work"),
        (PINNED_DOWN, Membership.OUT, "pinned down: work"),
        (UNCLEAR, Membership.HOLD, "of its health little is known (500 collect error)"),
        (SUSPECT, Membership.HOLD, "it is suspect: it says so"),
        (FLAPPING, Membership.HOLD, "it is up, and comes and goes"),
        (STALE, Membership.HOLD, "no scan has looked at it for 300 s"),
        (UNSEEN, Membership.HOLD, "no scan has seen it yet"),
        ("unknown", Membership.HOLD, "no scan has seen it yet"),
    ],
)
def test_where_a_member_stands_and_why(look: str, stand: Membership, words: str) -> None:
    found = standing(topology({"web1": look}), "web1")
    assert (found.server, found.stand, found.why) == ("web1", stand, words)


@pytest.mark.parametrize("look", LOOKS)
def test_only_a_certain_loss_takes_out_and_only_certain_health_brings_in(look: str) -> None:
    stand = standing(topology({"web1": look}), "web1").stand
    assert stand is (Membership.IN if look in INSIDE else Membership.OUT if look in OUTSIDE else Membership.HOLD)


@pytest.mark.parametrize("look", LOOKS)
def test_in_a_frozen_topology_only_an_operator_moves_a_member(look: str) -> None:
    found = standing(topology({"web1": look}, frozen="no brother answers"), "web1")
    said = look in (DRAINED, "maintained", PINNED_UP, PINNED_DOWN)
    assert (found.stand is not Membership.HOLD) is said
    assert said or found.why == "the topology is frozen: no brother answers"


@pytest.mark.parametrize("look", HELD)
@pytest.mark.parametrize("on_floor", [BelowMinimum.KEEP, BelowMinimum.EMPTY])
@pytest.mark.parametrize("there", ["1", "12", "2", "3", "123", "13"])
def test_who_is_held_stays_as_it_is(look: str, on_floor: BelowMinimum, there: str) -> None:
    """In where it was in, out where it was out."""
    found = given_now(decided(f"up, {look}, {look}", there, on_floor=on_floor))
    assert found == "".join(sorted({"1", *there}))


@pytest.mark.parametrize(
    ("on_floor", "looks", "there", "wanted"),
    [
        (BelowMinimum.KEEP, "up, up, up", "123", "123"),
        (BelowMinimum.KEEP, "up, up, down", "123", "12"),
        (BelowMinimum.KEEP, "up, down, down", "123", "123"),
        (BelowMinimum.KEEP, "up, down, down", "23", "123"),
        (BelowMinimum.KEEP, "down, down, down", "12", "12"),
        (BelowMinimum.KEEP, "down, down, down", None, ""),
        (BelowMinimum.KEEP, "unseen, unseen, unseen", None, ""),
        (BelowMinimum.KEEP, "up, unseen, unseen", None, "1"),
        (BelowMinimum.KEEP, "up, down, down", "7", "17"),
        (BelowMinimum.KEEP, "down, down, down", "7", "7"),
        (BelowMinimum.ALL, "up, up, down", "123", "12"),
        (BelowMinimum.ALL, "up, down, down", "1", "123"),
        (BelowMinimum.ALL, "down, down, down", None, "123"),
        (BelowMinimum.EMPTY, "up, down, down", "123", "1"),
        (BelowMinimum.EMPTY, "down, down, down", "123", ""),
        (BelowMinimum.EMPTY, "down, down, down", None, ""),
        (BelowMinimum.SORRY, "up, up, down", "123", "12"),
        (BelowMinimum.SORRY, "up, down, down", "123", "s"),
        (BelowMinimum.SORRY, "up, down, down", None, "s"),
        (BelowMinimum.SORRY, "up, up, down", "s", "12"),
    ],
)
def test_what_a_name_gives_at_its_floor(on_floor: BelowMinimum, looks: str, there: str | None, wanted: str) -> None:
    found = decided(looks, there, at_least=Amount(2), on_floor=on_floor, sorry=SORRY)
    assert given_now(found) == wanted


@pytest.mark.parametrize(
    ("on_floor", "words"),
    [
        (BelowMinimum.KEEP, "1 of 3 members can serve, and at least 2 are wanted: no one is taken out"),
        (BelowMinimum.ALL, "1 of 3 members can serve, and at least 2 are wanted: all are given"),
        (BelowMinimum.EMPTY, "1 of 3 members can serve, and at least 2 are wanted: only those are given"),
        (BelowMinimum.SORRY, "1 of 3 members can serve, and at least 2 are wanted: clients are sent to 192.0.2.99"),
    ],
)
def test_the_floor_is_told(on_floor: BelowMinimum, words: str) -> None:
    found = decided("up, down, down", at_least=Amount(2), on_floor=on_floor, sorry=SORRY)
    assert found.notes == (words,)


def test_where_there_is_no_one_to_say_sorry_no_one_is_taken_out() -> None:
    """Such as IPv6, where `sorry:` has an IPv4 address only."""
    assert given_now(decided("down, down, down", on_floor=BelowMinimum.SORRY)) == "123"


def test_all_are_given_in_one_step() -> None:
    """Those of whom little is known first: who is down would be taken out again by the next run."""
    for there in ("3", "23"):
        found = decided("down, suspect, up", there, at_least=Amount(2), on_floor=BelowMinimum.ALL)
        assert given_now(found) == "23"
    found = decided("down, suspect, up", "3", at_least=Amount(2), on_floor=BelowMinimum.ALL)
    assert found.notes == (
        "1 of 3 members can serve, and at least 2 are wanted: those of whom little is known are given too",
    )
    assert given_now(decided("down, suspect, down", "2", at_least=Amount(2), on_floor=BelowMinimum.ALL)) == "123"


@pytest.mark.parametrize(("share", "wanted"), [(33, "1"), (34, "123"), (100, "123")])
def test_a_floor_may_be_a_share(share: int, wanted: str) -> None:
    assert given_now(decided("up, down, down", at_least=Amount(share, percent=True))) == wanted


@pytest.mark.parametrize("on_floor", [BelowMinimum.KEEP, BelowMinimum.ALL, BelowMinimum.SORRY])
def test_without_a_floor_a_name_still_is_not_emptied(on_floor: BelowMinimum) -> None:
    assert given_now(decided("down, down, down", at_least=Amount(0), on_floor=on_floor)) == "123"


@pytest.mark.parametrize(
    ("looks", "there", "wanted"),
    [
        ("up, up, up", None, "1"),
        ("up, up, up", "2", "1"),
        ("down, up, up", "1", "2"),
        ("down, down, up", "1", "3"),
        ("down, down, down", "1", "1"),
        ("down, down, down", None, ""),
        ("suspect, up, up", "1", "1"),
        ("suspect, up, up", "2", "2"),
        ("suspect, suspect, suspect", "3", "3"),
        ("unseen, unseen, unseen", None, ""),
    ],
)
def test_an_alias_is_of_the_first_that_can_serve(looks: str, there: str | None, wanted: str) -> None:
    """Whatever `at_least` is: an alias has one."""
    assert given_now(decided(looks, there, first=True)) == wanted
    assert given_now(decided(looks, there, first=True, at_least=Amount(3))) == wanted


def test_what_health_does_not_decide_on_is_as_declared() -> None:
    found = decided("down, down, down", "1", follows=False)
    assert (given_now(found), found.standings, found.notes) == ("123", (), ())
    assert found.there == RRset(60, numbered("1"))


@pytest.mark.parametrize(
    ("looks", "there", "since", "wanted"),
    [
        ("up, up, up", "12", 9.9, "12"),
        ("up, up, up", "12", 10.0, "123"),
        ("up, up, up", None, 0.0, "123"),
        ("up, up, down", "123", 0.0, "12"),
        ("up, up, up", "12", -9.9, "12"),
        ("up, up, up", "12", -3600.0, "123"),
        ("down, up, up", "12", 1.0, "2"),
        ("up, up, up", "123", 1.0, "123"),
    ],
)
def test_what_comes_back_waits_and_what_goes_does_not(looks: str, there: str | None, since: float, wanted: str) -> None:
    assert given_now(decided(looks, there, since)) == wanted


@pytest.mark.parametrize(
    ("on_floor", "looks", "there", "wanted"),
    [
        (BelowMinimum.KEEP, "down, up, up", "12", "23"),
        (BelowMinimum.ALL, "down, up, up", "12", "23"),
        (BelowMinimum.EMPTY, "down, up, up", "12", "23"),
        (BelowMinimum.SORRY, "down, up, up", "12", "23"),
        (BelowMinimum.EMPTY, "down, up, down", "1", "2"),
        (BelowMinimum.SORRY, "down, down, down", "123", "s"),
        (BelowMinimum.SORRY, "up, up, down", "s", "s"),
        (BelowMinimum.KEEP, "up, down, down", "23", "23"),
        (BelowMinimum.ALL, "down, down, down", "12", "12"),
        (BelowMinimum.KEEP, "up, up, up", "7", "7"),
    ],
)
def test_what_comes_back_does_not_wait_where_the_floor_would_break(
    on_floor: BelowMinimum, looks: str, there: str, wanted: str
) -> None:
    """Nor where only such are left as must go: clients are not kept at a server that is down."""
    found = decided(looks, there, 1.0, at_least=Amount(2), on_floor=on_floor, sorry=SORRY)
    assert given_now(found) == wanted


@pytest.mark.parametrize(("looks", "there", "wanted"), [("down, up, up", "1", "2"), ("up, up, up", "2", "2")])
def test_an_alias_leaves_who_is_down_at_once_and_comes_back_later(looks: str, there: str, wanted: str) -> None:
    assert given_now(decided(looks, there, 1.0, first=True)) == wanted


def test_the_wait_is_told() -> None:
    found = decided("up, up, up", "12", 1.0)
    assert found.notes == ("what comes back waits until 10 s after the last change",)


def test_an_emptied_name_gives_again_at_once() -> None:
    found = decide(claim(on_floor=BelowMinimum.EMPTY), ServedRecords(None, NOW), topology({"web1": UP}), NOW, 10.0)
    assert given_now(found) == "1"


# --- how long records live -------------------------------------------------------------------------------------------


def said(what: DowntimeKind, begins: float, ends: float) -> dict[str, tuple[Downtime, ...]]:
    return {"web2": (Downtime("web2", what, NOW + begins, NOW + ends, "ann", "work"),)}


@pytest.mark.parametrize(
    ("what", "begins", "ends", "short"),
    [
        (DowntimeKind.DRAIN, 0, 60, True),
        (DowntimeKind.DRAIN, 3600, 7200, True),
        (DowntimeKind.MAINTENANCE, 3600, 7200, True),
        (DowntimeKind.DRAIN, 3601, 7200, False),
        (DowntimeKind.DRAIN, -60, 1, True),
        (DowntimeKind.DRAIN, -60, 0, False),
        (DowntimeKind.PINNED_DOWN, 0, 60, False),
        (DowntimeKind.PINNED_UP, 0, 60, False),
    ],
)
def test_records_live_shortly_around_an_announced_absence(
    what: DowntimeKind, begins: float, ends: float, short: bool
) -> None:
    """From as long before it as clients may hold them."""
    picture = replace(topology(dict.fromkeys(MEMBERS, UP)), planned=said(what, begins, ends))
    long = replace(claim(), ttl=3600)
    assert short_lived(long, picture, NOW) is short
    for there in (None, RRset(3600, numbered("123"))):
        found = decide(long, ServedRecords(there), picture, NOW, 10.0)
        assert found.wanted is not None
        assert found.wanted.ttl == (60 if short else 3600)


def test_records_that_live_shortly_anyway_are_left_so() -> None:
    picture = replace(topology(dict.fromkeys(MEMBERS, UP)), planned=said(DowntimeKind.DRAIN, 0, 60))
    found = decide(replace(claim(), ttl=5), ServedRecords(), picture, NOW, 10.0)
    assert found.wanted is not None
    assert found.wanted.ttl == 5


def test_a_name_that_is_held_by_its_floor_lives_shortly_too() -> None:
    picture = replace(topology(dict.fromkeys(MEMBERS, DOWN)), planned=said(DowntimeKind.DRAIN, 30, 60))
    found = decide(replace(claim(), ttl=3600), ServedRecords(RRset(3600, ("192.0.2.7",))), picture, NOW, 10.0)
    assert found.wanted == RRset(60, ("192.0.2.7",))


# --- members whose records change while little is known of them ---------------------------------------------------


def moved(former: Mapping[str, set[str]] | None, there: str, looks: str = f"{UNSEEN}, {UNSEEN}, {UNSEEN}") -> Decision:
    """web1 has another address now; `former`: what is known of before."""
    own = replace(claim(on_floor=BelowMinimum.EMPTY), values={**MEMBERS, "web1": "192.0.2.9"})
    seen = dict(zip(MEMBERS, looks.split(", "), strict=True))
    return decide(own, ServedRecords(RRset(60, numbered(there)), NOW - 100, former), topology(seen), NOW, 10.0)


def test_who_is_in_stays_in_with_the_address_that_it_has_now() -> None:
    known = {name: {value} for name, value in MEMBERS.items()}
    assert given_now(moved(known, "123")) == "239"
    assert given_now(moved(known, "23")) == "23", "it was out"
    assert given_now(moved(known, "1")) == "9"
    assert given_now(moved({**known, "web1": {"192.0.2.2"}}, "2")) == "2", "that is another's"


def test_where_no_one_knows_whose_a_record_was_it_stays() -> None:
    found = moved(None, "123")
    assert given_now(found) == "123"
    assert found.notes == ("192.0.2.1 may be a member's of whom little is known",)
    assert given_now(moved(None, "123", f"{UP}, {UP}, {UP}")) == "239", "all is known now"
    assert given_now(moved({}, "123")) == "23", "this site never had it in"


def test_a_service_on_another_port_keeps_those_who_are_in() -> None:
    hosts = {name: f"0 10 81 {name}.example.net." for name in MEMBERS}
    there = RRset(60, tuple(value.replace("81", "80") for value in hosts.values()))
    own = replace(claim(on_floor=BelowMinimum.EMPTY), place=("_http._tcp.www.example.net.", "SRV"), values=hosts)
    picture = topology({"web1": UNSEEN, "web2": SUSPECT, "web3": DOWN})
    found = decide(own, ServedRecords(there, NOW - 100), picture, NOW, 10.0)
    assert found.wanted is not None
    assert found.wanted.values == (hosts["web1"], hosts["web2"])
