"""What must hold for any zone, any claims, any topology and any hand or writer in between.

Scenes come of a number, so that one that fails can be had again.
"""

from dataclasses import dataclass, replace
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from multiall_cli.agents.zones.guards import NAMES
from multiall_cli.agents.zones.membership import standing
from multiall_cli.agents.zones.plan import owned
from multiall_cli.domain.inventory import Inventory, Pool, Server
from multiall_cli.domain.records import Claim, Membership, RRset, RRsetKey, ZonePlan, place_of
from multiall_cli.domain.topology import Topology
from multiall_cli.domain.values import Amount
from multiall_cli.domain.zones import BelowMinimum, NameDeclaration
from multiall_cli.planning.zones.claims import claims_of
from multiall_cli.planning.zones.ownership import digest, marker_name
from tests.fixtures.zone_model import (
    DOWN,
    HELD,
    INSIDE,
    LOOKS,
    NAME,
    NOW,
    OUTSIDE,
    UP,
    ZONE,
    ZoneModel,
    assert_done,
    kept,
    marked,
    planned,
    synced,
    topology,
)
from tests.scale import examples

RUNS = 10_000
MEMBERS = ("web1", "web2", "web3")
CALM = topology(dict.fromkeys(MEMBERS, UP))
NEXT = NOW + 3600.0
SORRY = "192.0.2.99"
HOSTS = {
    "A": [f"192.0.2.{each}" for each in (1, 2, 3)],
    "AAAA": [f"2001:db8::{each}" for each in (1, 2, 3)],
    "CNAME": [f"web{each}.example.net." for each in (1, 2, 3)],
}
ALIEN = {"A": "198.51.100.7", "AAAA": "2001:db8:7::7", "CNAME": "x.example.org.", "TXT": '"hello"', "MX": "10 mx."}
WWW: RRsetKey = ("www.example.net.", "A")
ALIAS: RRsetKey = ("www.example.net.", "CNAME")
OWN = Claim(WWW, NAME, 60, {"web1": "192.0.2.1"}, "web")
ALIASED = Claim(ALIAS, NAME, 60, {"web1": "web1.example.net."}, "web", first=True)
AT = tuple(f"{each}example.net." for each in ("www.", "api.", "*.", ""))


@dataclass
class Scene:
    zone: ZoneModel
    claims: list[Claim]
    topology: Topology


def scene(luck: Random) -> Scene:
    zone = ZoneModel()
    for name in AT:
        _fill(luck, zone, name)
    claims = [each for name in AT for each in _claims(luck, name)]
    looks = {each: luck.choice(LOOKS) for each in MEMBERS}
    return Scene(zone, claims, topology(looks, frozen="" if luck.random() < 0.9 else "no brother answers"))


def _claims(luck: Random, name: str) -> list[Claim]:
    kinds = luck.choice([[], ["A"], ["AAAA"], ["A", "AAAA"], ["CNAME"] if name != NAME else []])
    found = []
    for kind in kinds:
        values = dict(zip(luck.sample(MEMBERS, luck.randint(1, 3)), HOSTS[kind], strict=False))
        alias = kind == "CNAME"
        on_floor = BelowMinimum.KEEP if alias else luck.choice(list(BelowMinimum))
        found.append(
            Claim(
                (name, kind),
                NAME,
                luck.choice([60, 300]),
                values,
                "web",
                follows=luck.random() < 0.8,
                first=alias,
                at_least=Amount(luck.randint(0, 3)),
                on_floor=on_floor,
                sorry=(SORRY,) if kind == "A" and on_floor is BelowMinimum.SORRY else (),
            )
        )
    return [replace(each, values=dict([*each.values.items()][:1])) if _is_plain_alias(each) else each for each in found]


def _is_plain_alias(claim: Claim) -> bool:
    """One of which health decides nothing: it has one record."""
    return claim.first and not claim.follows


def _fill(luck: Random, zone: ZoneModel, name: str) -> None:
    """Records at a name, each with a mark of ours, of another, of a hand's edit, or none."""
    kinds = ["CNAME"] if luck.random() < 0.2 and name != NAME else ["A", "AAAA"]
    for kind in kinds:
        pool = [*HOSTS[kind], ALIEN[kind]]
        values = tuple(sorted(luck.sample(pool, 1 if kind == "CNAME" else luck.randint(1, 3))))
        place, owner = (name, kind), luck.choice(["multiall", "multiall", "other"])
        match luck.choice(["nothing", "nothing", "hand", "kept", "kept", "kept", "edited", "emptied", "junk"]):
            case "hand":
                zone.rrsets[place] = RRset(300, values)
            case "kept":
                zone.rrsets |= kept(place, *values, owner=owner, ttl=luck.choice([60, 300]))
            case "edited":
                zone.rrsets |= {**kept(place, *values, owner=owner), place: RRset(300, (ALIEN[kind],))}
            case "emptied" if kind != "CNAME":
                zone.rrsets |= kept(place, owner=owner)
            case "junk":
                zone.rrsets[marker_name(place), "TXT"] = RRset(60, luck.choice([('"hello"',), ('"a"', '"b"')]))
    if "CNAME" not in kinds or (name, "CNAME") not in zone.rrsets:
        for kind in luck.sample(["TXT", "MX"], luck.randint(0, 2)):
            zone.rrsets[name, kind] = RRset(300, (ALIEN[kind],))


_lucks = st.integers(0, 2**64 - 1).map(Random)
_scenes = _lucks.map(scene)


# --- one pass, and only what is ours ---------------------------------------------------------------------------------


@given(_scenes)
def test_one_pass_converges_and_an_empty_plan_moves_no_serial(made: Scene) -> None:
    """Within the interval after it, and past it; what stands in the way is told again, and nothing else."""
    first = synced(made.zone, made.claims, made.topology, forced=NAMES)
    serial, there = made.zone.serial, dict(made.zone.rrsets)
    for now in (NOW + 1.0, NOW + 20.0):
        again = synced(made.zone, made.claims, made.topology, now, forced=NAMES)
        assert again.changes == ()
        assert again.conflicts == first.conflicts
        assert (made.zone.serial, made.zone.rrsets) == (serial, there)


def test_the_ttls_of_many_names_change_in_one_message() -> None:
    """Each wants the zone as it was read; that is demanded once."""
    claims = [replace(OWN, place=(f"n{each}.example.net.", "A")) for each in range(5)]
    zone = ZoneModel()
    synced(zone, claims, CALM)
    synced(zone, [replace(each, ttl=300) for each in claims], CALM, NEXT)
    assert {rrset.ttl for rrset in zone.rrsets.values()} == {300}


@given(_scenes)
def test_a_plan_depends_on_nothing_but_what_it_is_told(made: Scene) -> None:
    backwards = ZoneModel(rrsets=dict(reversed(made.zone.rrsets.items())))
    one = planned(made.zone, made.claims, made.topology)
    other = planned(backwards, list(reversed(made.claims)), made.topology)
    assert (one.id, one.changes, set(one.conflicts)) == (other.id, other.changes, set(other.conflicts))


def test_what_is_not_ours_is_never_touched_in_ten_thousand_runs() -> None:
    """Names without our mark, marks of another owner, what a hand has edited: they stay, whatever is forced."""
    seed = Random().randrange(1 << 32)
    luck, ours = Random(seed), 0
    for number in range(RUNS):
        made = scene(luck)
        before, mine = dict(made.zone.rrsets), owned(made.zone.content(), ZONE).keys()
        plan = synced(made.zone, made.claims, made.topology, forced=NAMES)
        may = {*mine, *((marker_name(each), "TXT") for each in mine)}
        for place, rrset in before.items():
            left = made.zone.rrsets.get(place) == rrset
            assert left or place in may, f"seed {seed}, run {number}: {place} was touched"
        claimed = {each.place for each in made.claims}
        new = made.zone.rrsets.keys() - before.keys()
        allowed = {*claimed, *((marker_name(each), "TXT") for each in claimed)}
        assert new <= allowed, f"seed {seed}, run {number}: {new - allowed} came from nowhere"
        for each in plan.conflicts:
            at = place_of(each.subject)
            assert made.zone.rrsets.get(at) == before.get(at), f"seed {seed}, run {number}: {at} was touched"
        ours += len(plan.changes)
    assert ours > RUNS, f"seed {seed}: these runs show little"


# --- floors ----------------------------------------------------------------------------------------------------------

_look = st.sampled_from([UP, DOWN]) | st.sampled_from(LOOKS)
_looks = st.fixed_dictionaries(dict.fromkeys(MEMBERS, _look))
_steps = st.lists(
    st.tuples(
        _looks, st.sampled_from(["", "", "", "", "no brother answers"]), st.sampled_from([0.5, 0.5, 9, 11, 4000])
    ),
    min_size=1,
    max_size=12,
)
_amounts = st.integers(0, 4).map(Amount) | st.integers(1, 100).map(lambda each: Amount(each, percent=True))
_starts = st.sets(st.sampled_from(HOSTS["A"]))
WEB = Claim(WWW, NAME, 60, dict(zip(MEMBERS, HOSTS["A"], strict=True)), "web")


def started(values: set[str]) -> ZoneModel:
    return ZoneModel(rrsets=dict(kept(WWW, *values)) if values else {})


@given(_starts, _steps, _amounts, st.sampled_from([BelowMinimum.KEEP, BelowMinimum.ALL, BelowMinimum.SORRY]))
@examples(75)
def test_no_sequence_of_states_breaks_a_floor(
    start: set[str], steps: list[tuple[dict[str, str], str, float]], at_least: Amount, on_floor: BelowMinimum
) -> None:
    """What gave something gives something, and no fewer than the floor where it gave as many; or it says sorry."""
    claim = replace(WEB, at_least=at_least, on_floor=on_floor, sorry=(SORRY,) if on_floor is BelowMinimum.SORRY else ())
    zone, now = started(start), NOW
    floor = at_least.of(len(MEMBERS)) if at_least.number else 1
    for looks, frozen, later in steps:
        now, gave = now + later, zone.values(*WWW)
        synced(zone, [claim], topology(looks, now, frozen), now)
        gives = zone.values(*WWW)
        assert gives or not gave
        assert gives == (SORRY,) or len(gives) >= min(floor, len(gave))


@given(_starts, _steps, _amounts)
@examples(75)
def test_where_a_name_may_be_empty_it_gives_exactly_who_is_in(
    start: set[str], steps: list[tuple[dict[str, str], str, float]], at_least: Amount
) -> None:
    """Who comes back may wait; who must go does not, and who is held stays."""
    claim = replace(WEB, at_least=at_least, on_floor=BelowMinimum.EMPTY)
    zone, now, changed = started(start), NOW, 0.0
    for looks, frozen, later in steps:
        now, gave, serial = now + later, set(zone.values(*WWW)), zone.serial
        picture = topology(looks, now, frozen)
        synced(zone, [claim], picture, now)
        stands = {value: standing(picture, name).stand for name, value in claim.values.items()}
        inside = {
            each for each, at in stands.items() if at is Membership.IN or (at is Membership.HOLD and each in gave)
        }
        gives = set(zone.values(*WWW))
        if frozen:
            assert gives == gave
        elif now - changed >= ZONE.interval or not gave:
            assert gives == inside
        else:
            assert gave & inside <= gives <= inside
        changed = now if zone.serial != serial else changed


@given(_starts, _steps, _amounts, st.sampled_from([BelowMinimum.KEEP, BelowMinimum.EMPTY]))
@examples(75)
def test_of_whom_nothing_certain_is_known_is_neither_taken_out_nor_brought_in(
    start: set[str], steps: list[tuple[dict[str, str], str, float]], at_least: Amount, on_floor: BelowMinimum
) -> None:
    """Suspect, unreachable, degraded, unknown, coming and going, not looked at for long."""
    claim, zone, now = replace(WEB, at_least=at_least, on_floor=on_floor), started(start), NOW
    for looks, frozen, later in steps:
        now, gave = now + later, set(zone.values(*WWW))
        synced(zone, [claim], topology(looks, now, frozen), now)
        gives = set(zone.values(*WWW))
        for name, look in looks.items():
            if look in HELD:
                assert (claim.values[name] in gives) == (claim.values[name] in gave)


@given(_starts, _steps, _amounts, st.sampled_from(list(BelowMinimum)))
@examples(50)
def test_no_one_is_sent_to_who_is_down_while_others_are_enough(
    start: set[str], steps: list[tuple[dict[str, str], str, float]], at_least: Amount, on_floor: BelowMinimum
) -> None:
    claim, zone, now = replace(WEB, at_least=at_least, on_floor=on_floor, sorry=(SORRY,)), started(start), NOW
    floor = at_least.of(len(MEMBERS)) if at_least.number else 1
    for looks, _, later in steps:
        now, gave = now + later, set(zone.values(*WWW))
        synced(zone, [claim], topology(looks, now), now)
        well = {claim.values[name] for name, look in looks.items() if look in INSIDE}
        if len(well) >= floor and well <= gave:
            assert not set(zone.values(*WWW)) & {claim.values[name] for name, look in looks.items() if look in OUTSIDE}


@given(st.lists(st.tuples(_looks, st.sampled_from([0.5, 9, 11, 100])), min_size=1, max_size=12))
def test_an_alias_gives_one_and_never_who_is_down_where_another_can_serve(
    steps: list[tuple[dict[str, str], float]],
) -> None:
    values = dict(zip(MEMBERS, HOSTS["CNAME"], strict=True))
    alias = Claim(ALIAS, NAME, 60, values, "web", first=True)
    zone, now = ZoneModel(), NOW
    for looks, later in steps:
        now, gave = now + later, zone.values(*ALIAS)
        synced(zone, [alias], topology(looks, now), now)
        gives = zone.values(*ALIAS)
        assert len(gives) == 1 or not gave
        if any(look in INSIDE for look in looks.values()):
            assert looks[next(name for name, value in values.items() if (value,) == gives)] not in OUTSIDE


# --- a frozen topology -----------------------------------------------------------------------------------------------


@given(_scenes)
def test_a_frozen_topology_changes_nothing(made: Scene) -> None:
    before = dict(made.zone.rrsets)
    synced(made.zone, made.claims, replace(made.topology, frozen="no brother answers"))
    assert made.zone.rrsets == before


@given(_scenes, st.sampled_from([DOWN, *HELD]))
def test_a_frozen_topology_loses_no_one_even_where_its_brake_is_let_go(made: Scene, look: str) -> None:
    """No one whom an operator has not sent away."""
    gave = {each.place: set(made.zone.values(*each.place)) for each in made.claims}
    picture = topology(dict.fromkeys(MEMBERS, look), frozen="no brother answers")
    synced(made.zone, made.claims, picture, forced=NAMES)
    for each in made.claims:
        if each.follows and each.on_floor is not BelowMinimum.SORRY:
            assert gave[each.place] & set(each.values.values()) <= set(made.zone.values(*each.place))


# --- hands and other writers -----------------------------------------------------------------------------------------

_edits = st.tuples(
    st.sampled_from(AT[:3]),
    st.sampled_from(["A", "AAAA", "CNAME", "TXT"]),
    st.sampled_from(["alien", "member", "nothing"]),
)


@given(_lucks, st.lists(_edits | st.tuples(_looks, st.sampled_from([1.0, 60.0])), max_size=12))
@examples(50)
def test_what_a_hand_has_done_stands(luck: Random, steps: list[tuple[Any, ...]]) -> None:
    """Whatever is put, edited or taken out by hand stays so through any number of runs, until a hand is at it again."""
    zone, claims, now = ZoneModel(), scene(luck).claims, NOW
    hands: dict[RRsetKey, tuple[str, ...]] = {}
    for step in steps:
        if isinstance(step[0], str):
            name, kind, what = step
            value = {"alien": ALIEN[kind], "member": HOSTS.get(kind, [ALIEN[kind]])[0], "nothing": ""}[what]
            _by_hand(zone, (name, kind), value, hands)
        else:
            looks, later = step
            now += later
            synced(zone, claims, topology(looks, now), now, forced=NAMES)
        for place, values in hands.items():
            assert zone.values(*place) == values


def _by_hand(zone: ZoneModel, place: RRsetKey, value: str, hands: dict[RRsetKey, tuple[str, ...]]) -> None:
    """`hands`: what must stand from now on: all that is not, or not any longer, as we wrote it."""
    zone.put(*place, *([value] if value else []))
    hands.pop(place, None)
    values, marker = zone.values(*place), owned(zone.content(), ZONE).get(place)
    if (marker is None and values) or (marker is not None and marker.digest != digest(values)):
        hands[place] = values


@given(_scenes, _scenes, st.sampled_from(["multiall", "other"]))
@examples(50)
def test_of_two_writers_at_once_the_second_changes_nothing_that_the_first_has_changed(
    made: Scene, other: Scene, owner: str
) -> None:
    """Both have read the same zone; no records are lost, and nothing is passed over in silence. A TTL may be."""
    theirs = replace(ZONE, owner=owner)
    one = planned(made.zone, made.claims, made.topology)
    two = planned(made.zone, other.claims, other.topology, zone=theirs)
    soa = made.zone.soa
    assert made.zone.write(ZONE, marked(ZONE, one, NOW), soa)
    after = dict(made.zone.rrsets)
    done = made.zone.write(theirs, marked(theirs, two, NOW), soa)
    first = {each.key: each for each in one.changes if _values(each.before) != _values(each.after)}
    assert not (done and first.keys() & {each.key for each in two.changes})
    assert_done(made.zone, replace(one, changes=tuple(first.values())))
    if done:
        assert_done(made.zone, two)
    elif not any("CNAME" in each.key for each in (*one.changes, *two.changes)):  # aliases have messages of their own
        assert made.zone.rrsets == after


def _values(rrset: RRset | None) -> tuple[str, ...]:
    return rrset.values if rrset else ()


@pytest.mark.parametrize("before", [None, OWN])
@pytest.mark.parametrize("kind", ["A", "AAAA", "TXT"])
def test_what_a_hand_puts_at_a_name_before_an_alias_comes_there_lets_its_update_fail(
    before: Claim | None, kind: str
) -> None:
    """Else the name server passed over the alias, and took its mark."""
    zone = ZoneModel()
    if before:
        synced(zone, [before], CALM)
    plan, soa = planned(zone, [ALIASED], CALM, NEXT), zone.soa
    zone.put(WWW[0], kind, "x")
    there = dict(zone.rrsets)
    assert not zone.write(ZONE, marked(ZONE, plan, NEXT), soa)
    assert zone.rrsets == there


@given(st.lists(st.tuples(st.sampled_from(["read", "write"]), st.sampled_from([1, 2]), _looks), max_size=30))
@examples(50)
def test_no_update_is_lost_among_two_writers_in_any_order(steps: list[tuple[str, int, dict[str, str]]]) -> None:
    """One is taken just where the zone still is as its writer has read it."""
    zone, now = started({HOSTS["A"][0]}), NOW
    read: dict[int, tuple[ZonePlan, str, dict[RRsetKey, RRset]]] = {}
    for what, who, looks in steps:
        now += 30
        if what == "read":
            read[who] = planned(zone, [WEB], topology(looks, now), now), zone.soa, dict(zone.rrsets)
        elif who in read:
            plan, soa, seen = read.pop(who)
            before = dict(zone.rrsets)
            done = zone.write(ZONE, marked(ZONE, plan, now), soa)
            assert done == (before == seen or not plan.changes)
            assert done or zone.rrsets == before


# --- claims of pools -------------------------------------------------------------------------------------------------

SERVERS = {name: Server(name, name, public=(HOSTS["A"][at], HOSTS["AAAA"][at])) for at, name in enumerate(MEMBERS)}
_declared = st.builds(
    NameDeclaration,
    st.just(NAME),
    st.sampled_from(AT[:2]),
    st.sampled_from([MEMBERS, MEMBERS[:2], MEMBERS[1:]]),
    st.sampled_from([60, 300]),
    cname=st.booleans(),
)
_pools = st.lists(st.tuples(st.lists(_declared, max_size=2), st.integers(0, 2)), min_size=1, max_size=3).map(
    lambda drawn: [Pool(f"pool{at}", MEMBERS, top, names=tuple(names)) for at, (names, top) in enumerate(drawn)]
)


def site(pools: list[Pool]) -> Inventory:
    return Inventory(SERVERS, {each.name: each for each in pools}, {NAME: ZONE})


@given(_pools)
def test_claims_do_not_depend_on_the_order_of_pools(pools: list[Pool]) -> None:
    """But for the pool by which equal ones are called."""
    one, at_odds = claims_of(site(pools))
    other, also = claims_of(site(list(reversed(pools))))
    assert at_odds.keys() == also.keys()
    assert [replace(each, pool="") for each in one] == [replace(each, pool="") for each in other]
    assert len({each.place for each in one}) == len(one)
    assert not {each.place for each in one} & at_odds.keys()


@given(_pools)
def test_no_name_is_claimed_as_an_alias_and_as_something_else(pools: list[Pool]) -> None:
    settled, _ = claims_of(site(pools))
    aliases = {each.place[0] for each in settled if each.place[1] == "CNAME"}
    assert not any(each.place[0] in aliases for each in settled if each.place[1] != "CNAME")


@given(_pools)
def test_pools_that_ask_for_the_same_are_as_one(pools: list[Pool]) -> None:
    twice = [*pools, *(replace(each, name=f"again-{each.name}") for each in pools)]
    one, at_odds = claims_of(site(pools))
    other, also = claims_of(site(twice))
    assert (one, at_odds.keys()) == (other, also.keys())


@given(_pools)
def test_the_highest_priority_has_its_claims(pools: list[Pool]) -> None:
    """Where it stands alone on them, with or without the others."""
    top = max(each.priority for each in pools)
    if [each.priority for each in pools].count(top) == 1:
        highest = next(each for each in pools if each.priority == top)
        alone, at_odds = claims_of(site([highest]))
        settled, _ = claims_of(site(pools))
        assert set(map(repr, alone)) <= set(map(repr, settled)) or at_odds


@given(_pools, _pools)
def test_what_pools_come_to_contradict_each_other_on_is_left_as_it_is(before: list[Pool], after: list[Pool]) -> None:
    """It is neither written nor taken out, though no claim on it is left."""
    zone = ZoneModel()
    settled, at_odds = claims_of(site(before))
    synced(zone, settled, CALM, contested=at_odds)
    there = dict(zone.rrsets)
    settled, at_odds = claims_of(site(after))
    plan = synced(zone, settled, CALM, NEXT, contested=at_odds, forced=NAMES)
    for place in at_odds:
        assert zone.rrsets.get(place) == there.get(place)
        assert zone.rrsets.get((marker_name(place), "TXT")) == there.get((marker_name(place), "TXT"))
    assert {*at_odds.values()} <= {*plan.conflicts}
