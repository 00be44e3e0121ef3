"""What a run would change in a zone: our records, or what is not there yet; all else is told, and left."""

from dataclasses import replace

import pytest

from multiall_cli.agents.zones.plan import (
    ZoneMemory,
    adoption,
    differing,
    is_covered,
    marker_of,
    of_pool,
    owned,
    plan_id,
    plan_zone,
)
from multiall_cli.domain.change import Action, Change, Conflict
from multiall_cli.domain.records import Claim, RRset, RRsetKey, ZonePlan
from multiall_cli.domain.zones import BelowMinimum, NameServer, Zone
from multiall_cli.planning.zones.ownership import OwnershipRecord, digest, marker_name
from tests.fixtures.zone_model import DOWN, NAME, NOW, UP, ZONE, ZoneModel, kept, marked, planned, synced, topology

WWW: RRsetKey = ("www.example.net.", "A")
ALIAS: RRsetKey = ("www.example.net.", "CNAME")
MARK = (marker_name(WWW), "TXT")
CALM = topology({"web1": UP, "web2": UP})
GONE = topology({"web1": DOWN, "web2": DOWN})
BOTH = ("192.0.2.1", "192.0.2.2")
FOREIGN = '"multiall=1 owner=other pool=web hash=0123456789abcdef epoch=1"'


def claim(place: RRsetKey = WWW, *values: str, **more: object) -> Claim:
    given = dict(zip(("web1", "web2"), values or BOTH, strict=False))
    return Claim(place, NAME, 60, given, "web", **more)  # type: ignore[arg-type]


ALIAS_CLAIM = claim(ALIAS, "web1.example.net.", "web2.example.net.", first=True)


def model(*records: dict[RRsetKey, RRset]) -> ZoneModel:
    return ZoneModel(rrsets={place: rrset for each in records for place, rrset in each.items()})


def hand(name: str, kind: str, *values: str) -> dict[RRsetKey, RRset]:
    return {(name, kind): RRset(300, values)}


def told(plan: ZonePlan) -> list[str]:
    return [str(each) for each in plan.conflicts]


def test_what_is_not_there_is_put_there() -> None:
    plan = planned(model(), [claim()], CALM)
    assert plan.changes == (Change("www.example.net A", None, RRset(60, BOTH)),)
    assert plan.changes[0].action is Action.CREATE
    assert plan.changes[0].after is not None
    assert plan.changes[0].after.marker == "web"
    assert (plan.ours, plan.serial, plan.conflicts) == (0, 1, ())


def test_what_is_as_wanted_is_left() -> None:
    plan = planned(model(kept(WWW, *BOTH)), [claim()], CALM)
    assert (plan.changes, plan.ours, plan.id) == ((), 1, plan_id(NAME, ()))


def test_what_no_one_saw_declared_here_is_not_taken_out() -> None:
    """Another site, that writes as we do, has the same marks."""
    plan = plan_zone(
        ZONE, [], {}, model(kept(WWW, *BOTH)).content(), CALM, NOW, ZoneMemory(is_seen=lambda place: place != WWW)
    )
    assert plan.changes == ()
    assert "nothing declares it, nor did here before, and it bears our mark (pool web)" in told(plan)[0]
    assert "--force-guard zones.unseen" in plan.conflicts[0].todo


def test_what_another_pools_mark_stands_beside_is_not_told_of_this_pool() -> None:
    """Of two sites that write as one: a rollout of ours does not stop for their names."""
    zone = model(kept(WWW, *BOTH, pool="theirs"))
    plan = plan_zone(ZONE, [], {}, zone.content(), CALM, NOW, ZoneMemory(is_seen=lambda place: False))
    assert len(plan.conflicts) == 1
    assert of_pool(plan, "web", [], zone.content()).conflicts == ()
    assert of_pool(plan, "theirs", [], zone.content()).conflicts == plan.conflicts


def test_what_is_other_than_wanted_is_replaced_where_our_mark_is_as_it_was() -> None:
    there = kept(WWW, "192.0.2.1")
    (change,) = planned(model(there), [claim()], CALM).changes
    assert change == Change("www.example.net A", RRset(60, ("192.0.2.1",)), RRset(60, BOTH))
    assert change.before is not None
    assert f'"{change.before.marker}"' == there[MARK].values[0]


def test_a_ttl_alone_is_a_change() -> None:
    (change,) = planned(model(kept(WWW, *BOTH, ttl=300)), [claim()], CALM).changes
    assert (change.before, change.after) == (RRset(300, BOTH), RRset(60, BOTH))


def test_what_nothing_declares_any_longer_is_taken_out() -> None:
    (change,) = planned(model(kept(WWW, *BOTH)), [], CALM).changes
    assert (change.action, change.before, change.after) == (Action.DELETE, RRset(60, BOTH), None)
    (change,) = planned(model(kept(WWW)), [], CALM).changes
    assert (change.before, change.after) == (RRset(0, ()), None)


@pytest.mark.parametrize(
    ("record", "words"),
    [
        (hand("www.example.net.", "NS", "ns.elsewhere.test."), "the delegation of www.example.net (NS)"),
        (hand("example.net.", "DNAME", "elsewhere.test."), "the DNAME of example.net"),
    ],
)
def test_what_the_servers_would_give_to_no_one_is_not_written(record: dict[RRsetKey, RRset], words: str) -> None:
    plan = planned(model(record), [claim()], CALM)
    assert plan.changes == ()
    assert words in told(plan)[0]


def test_a_name_below_a_delegation_of_a_name_above_it() -> None:
    place = ("www.lab.example.net.", "A")
    plan = planned(model(hand("lab.example.net.", "NS", "ns.elsewhere.test.")), [claim(place)], CALM)
    assert "the delegation of lab.example.net (NS) stands above it" in told(plan)[0]
    apex = hand("example.net.", "NS", "ns1.example.net.")
    beside = hand("www.example.net.", "DNAME", "elsewhere.test.")
    assert planned(model(apex, beside), [claim()], CALM).conflicts == ()


@pytest.mark.parametrize(
    ("name", "kind", "covered"),
    [
        ("*.example.net.", "A", True),
        ("*.example.net.", "CNAME", True),
        ("*.example.net.", "TXT", False),
        ("*.lab.example.net.", "A", True),
        ("*.www.lab.example.net.", "A", False),
        ("*.other.net.", "A", False),
    ],
)
def test_wildcards_that_may_answer_for_a_name(name: str, kind: str, covered: bool) -> None:
    assert is_covered(("www.lab.example.net.", "A"), {(name, kind)}) is covered


def test_of_the_root_itself_too() -> None:
    zone = replace(ZONE, name=".")
    content = model(hand(".", "NS", "ns.elsewhere.test.")).content
    assert not plan_zone(zone, [claim()], {}, content(), CALM, NOW).conflicts


def test_an_emptied_name_keeps_its_mark_and_comes_back() -> None:
    zone, empty = model(kept(WWW, *BOTH)), claim(on_floor=BelowMinimum.EMPTY)
    synced(zone, [empty], GONE)
    assert (WWW in zone.rrsets, MARK in zone.rrsets) == (False, True)
    assert planned(zone, [empty], GONE).changes == ()
    (change,) = synced(zone, [empty], CALM, NOW + 60).changes
    assert (change.before, change.after) == (RRset(0, ()), RRset(60, BOTH))
    assert zone.values(WWW[0]) == BOTH


def test_where_nothing_is_known_nothing_is_put() -> None:
    plan = planned(model(), [claim()], topology({}))
    assert (plan.changes, plan.decisions[0].wanted) == ((), None)


def test_changes_are_in_order_and_give_the_plan_its_id() -> None:
    claims = [claim((f"{each}.example.net.", "A")) for each in "cab"]
    plan = planned(model(), claims, CALM)
    assert [each.key for each in plan.changes] == ["a.example.net A", "b.example.net A", "c.example.net A"]
    assert plan.id == planned(model(), reversed_claims(claims), CALM).id
    assert plan.id != planned(model(), claims[:2], CALM).id
    assert plan_id("a.", ()) != plan_id("b.", ())


def reversed_claims(claims: list[Claim]) -> list[Claim]:
    return list(reversed(claims))


def test_the_part_of_one_pool_is_its_names_and_their_conflicts() -> None:
    """What another pool's names are in the way of is not its trouble."""
    theirs = [replace(claim((f"{each}.example.net.", "A")), pool="shop") for each in ("s1", "s2")]
    ours = [claim(), claim(("api.example.net.", "A"))]
    zone = model(
        hand(*ours[1].place, "192.0.2.7"),
        hand(*theirs[1].place, "192.0.2.7"),
        kept(("old.example.net.", "A"), "192.0.2.1"),
        kept(("gone.example.net.", "A"), "192.0.2.1", pool="shop"),
    )
    part = of_pool(planned(zone, [*ours, *theirs], CALM), "web", [*ours, *theirs], zone.content())
    assert [each.key for each in part.changes] == ["old.example.net A", "www.example.net A"]
    assert [each.subject for each in part.conflicts] == ["api.example.net A"]
    assert [each.claim.pool for each in part.decisions] == ["web"]
    assert part.id == plan_id(NAME, part.changes)


def test_the_part_of_one_pool_makes_room_for_its_names() -> None:
    """Also where what leaves was another pool's."""
    zone = model(kept(WWW, *BOTH, pool="shop"), kept(("gone.example.net.", "A"), "192.0.2.1", pool="shop"))
    part = of_pool(planned(zone, [ALIAS_CLAIM], CALM), "web", [ALIAS_CLAIM], zone.content())
    assert [each.key for each in part.changes] == ["www.example.net A", "www.example.net CNAME"]
    assert zone.write(ZONE, marked(ZONE, part, NOW), zone.soa)
    assert zone.values(*ALIAS) == ("web1.example.net.",)


# --- what is not ours ------------------------------------------------------------------------------------------------


def test_a_record_without_a_mark_is_a_conflict() -> None:
    plan = planned(model(hand(*WWW, "192.0.2.7")), [claim()], CALM)
    assert plan.changes == ()
    assert told(plan) == [
        "www.example.net A: it is there and bears no mark: 300 192.0.2.7; "
        "`multiall dns adopt www.example.net A` takes it over"
    ]


@pytest.mark.parametrize("records", [hand(*WWW, *BOTH), {}])
@pytest.mark.parametrize("texts", [('"hello"',), ('"a"', '"b"'), (FOREIGN, FOREIGN.replace("epoch=1", "epoch=2"))])
def test_a_mark_that_is_no_mark_is_a_conflict(records: dict[RRsetKey, RRset], texts: tuple[str, ...]) -> None:
    plan = planned(model(records, {MARK: RRset(60, texts)}), [claim()], CALM)
    assert plan.changes == ()
    assert told(plan) == [
        "www.example.net A: the mark beside it is no mark of ours, or there are several; "
        "look at it, and remove what is not yours"
    ]


def test_another_owners_mark_is_a_conflict() -> None:
    plan = planned(model(kept(WWW, *BOTH, owner="other", pool="shop")), [claim()], CALM)
    assert (plan.changes, plan.ours) == ((), 0)
    assert told(plan) == [
        "www.example.net A: it belongs to 'other' (pool shop), and this site writes as 'multiall'; "
        "if `owner:` was changed, `multiall dns adopt www.example.net A --from-owner other` takes it over; "
        "else take the name out of one of the two sites"
    ]


@pytest.mark.parametrize(("edited", "words"), [(("192.0.2.7",), "300 192.0.2.7"), ((), "no records")])
def test_what_a_hand_has_edited_is_a_conflict_whether_declared_or_not(edited: tuple[str, ...], words: str) -> None:
    zone = model(kept(WWW, *BOTH))
    zone.put(*WWW, *edited)
    plan = planned(zone, [claim()], CALM)
    assert plan.changes == ()
    assert told(plan) == [
        f"www.example.net A: someone has edited it since we wrote it: {words}; "
        "`multiall dns adopt www.example.net A` lets us write it again"
    ]
    plan = planned(zone, [], CALM)
    if not edited:  # of what a hand has taken out already, only our mark is left
        assert [(each.key, each.after) for each in plan.changes] == [("www.example.net A", None)]
        return
    assert plan.changes == ()
    assert told(plan) == [
        f"www.example.net A: nothing declares it any longer, and someone has edited it since we wrote it: {words}; "
        "remove the TXT of _multiall-a.www.example.net, and the records if no one needs them"
    ]


def test_what_pools_contradict_each_other_on_is_left_and_told() -> None:
    """Also where it bears our mark and no claim is left of it."""
    conflict = Conflict("www.example.net A", "pools differ", "make them equal")
    plan = planned(model(kept(WWW, "192.0.2.1")), [], CALM, contested={WWW: conflict})
    assert (plan.changes, plan.conflicts, plan.ours) == ((), (conflict,), 1)


def test_marks_of_types_that_are_never_written_give_us_nothing() -> None:
    """`example.net NS` with a mark beside it, as if it were ours."""
    for kind, value in (("NS", "ns1.example.net."), ("TXT", '"v=spf1 -all"'), ("DNSKEY", "257 3 13 abc")):
        zone = model(kept((NAME, kind), value))
        plan = planned(zone, [], CALM)
        assert (plan.changes, plan.ours, plan.conflicts) == ((), 0, ())


# --- an alias stands alone -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["AAAA", "TXT", "MX"])
def test_an_alias_is_not_put_beside_others(kind: str) -> None:
    plan = planned(model(hand(WWW[0], kind, "x"), hand(WWW[0], "RRSIG", "x")), [ALIAS_CLAIM], CALM)
    assert plan.changes == ()
    assert told(plan) == [
        f"www.example.net CNAME: an alias cannot stand beside the {kind} of this name; remove those, or the alias"
    ]


def test_nothing_is_put_beside_an_alias() -> None:
    plan = planned(model(hand(*ALIAS, "web1.example.org.")), [claim()], CALM)
    assert plan.changes == ()
    assert told(plan) == [
        "www.example.net A: the name is an alias (CNAME), beside which nothing else can stand; remove the alias first"
    ]


def test_an_emptied_name_that_a_hand_made_an_alias_is_told_and_left() -> None:
    """Its mark is ours still; once nothing declares it, the mark goes, and the alias stays."""
    zone, empty = model(kept(WWW, *BOTH)), claim(on_floor=BelowMinimum.EMPTY)
    synced(zone, [empty], GONE)
    zone.put(*ALIAS, "x.example.org.")
    plan = synced(zone, [empty], CALM, NOW + 60)
    assert (plan.changes, [each.subject for each in plan.conflicts]) == ((), ["www.example.net A"])
    synced(zone, [], CALM, NOW + 60)
    assert zone.rrsets == hand(*ALIAS, "x.example.org.")


def test_signatures_are_no_obstacle_to_an_alias() -> None:
    assert planned(model(hand(WWW[0], "RRSIG", "x"), hand(WWW[0], "NSEC", "x")), [ALIAS_CLAIM], CALM).changes


@pytest.mark.parametrize(
    ("before", "after"),
    [(claim(), ALIAS_CLAIM), (ALIAS_CLAIM, claim()), (claim(), claim(("www.example.net.", "AAAA")))],
)
def test_our_own_records_make_room_in_the_same_run(before: Claim, after: Claim) -> None:
    zone = model()
    synced(zone, [before], CALM)
    assert zone.values(*before.place)
    plan = synced(zone, [after], CALM, NOW + 60)
    assert (plan.conflicts, len(plan.changes)) == ((), 2)
    assert zone.values(*after.place)
    assert before.place not in zone.rrsets
    assert planned(zone, [after], CALM, NOW + 120).changes == ()


def test_what_a_hand_has_edited_makes_no_room() -> None:
    """It stays; a name server would pass over what is put beside it, and say that all is well."""
    for before, after, edit in ((claim(), ALIAS_CLAIM, "192.0.2.9"), (ALIAS_CLAIM, claim(), "x.example.org.")):
        zone = model()
        synced(zone, [before], CALM)
        zone.put(*before.place, edit)
        plan = synced(zone, [after], CALM, NOW + 60)
        assert plan.changes == ()
        assert [each.subject for each in plan.conflicts] == [
            f"www.example.net {after.place[1]}",
            f"www.example.net {before.place[1]}",
        ]
        assert zone.values(*before.place) == (edit,)


@pytest.mark.parametrize(
    ("before", "after"),
    [(claim(), ALIAS_CLAIM), (ALIAS_CLAIM, claim()), (claim(), claim(("www.example.net.", "AAAA")))],
)
def test_nothing_makes_room_for_what_is_not_put_there(before: Claim, after: Claim) -> None:
    """Since no member is known to serve, something of others is in the way, or pools contradict each other."""
    zone = model()
    synced(zone, [before], CALM)
    zone.put(WWW[0], "TXT", '"by hand"')  # passed over beside an alias
    conflict = Conflict("www.example.net", "pools differ", "make them equal")
    stalled = [planned(zone, [after], topology({})), planned(zone, [], CALM, contested={after.place: conflict})]
    if after is ALIAS_CLAIM:
        stalled.append(planned(zone, [after], CALM))
    for plan in stalled:
        assert plan.changes == ()
    assert planned(zone, [], CALM).changes


# --- marks in a zone -------------------------------------------------------------------------------------------------


def test_the_marks_of_an_owner() -> None:
    zone = model(
        kept(WWW, *BOTH),
        kept(("api.example.net.", "A"), "192.0.2.1", owner="other"),
        hand("_multiall-a.x.example.net.", "TXT", '"hello"'),
        hand("_multiall-a.y.example.net.", "A", "192.0.2.1"),
        hand("txt.example.net.", "TXT", FOREIGN),
    )
    assert owned(zone.content(), ZONE) == {WWW: OwnershipRecord("multiall", "web", digest(BOTH), 1)}
    assert marker_of(zone.content(), ("api.example.net.", "A")) == OwnershipRecord(
        "other", "web", digest(["192.0.2.1"]), 1
    )
    assert marker_of(zone.content(), ("z.example.net.", "A")) is None


# --- adoption, and what changed meanwhile ----------------------------------------------------------------------------


def test_an_adoption_puts_our_mark_beside_what_is_there() -> None:
    change = adoption(ZONE, WWW, model(hand(*WWW, "192.0.2.7")).content(), "web")
    assert change == Change("www.example.net A", RRset(300, ("192.0.2.7",)), RRset(300, ("192.0.2.7",)))
    assert change.before is not None
    assert change.after is not None
    assert (change.before.marker, change.after.marker) == ("", "web")


def test_an_adoption_takes_over_from_another_owner_or_from_a_hand() -> None:
    for zone in (model(kept(WWW, *BOTH, owner="other")), model(kept(WWW, "192.0.2.1"), hand(*WWW, *BOTH))):
        change = adoption(ZONE, WWW, zone.content(), "web")
        assert change is not None
        assert change.before is not None
        assert change.before.values == BOTH
        assert f'"{change.before.marker}"' == zone.rrsets[MARK].values[0]


def test_an_adoption_of_what_a_hand_has_removed_lets_us_write_again() -> None:
    zone = model(kept(WWW, *BOTH))
    zone.put(*WWW)
    change = adoption(ZONE, WWW, zone.content(), "web")
    assert change == Change("www.example.net A", RRset(0, ()), RRset(0, ()))


def test_there_is_nothing_to_adopt_in_what_is_ours_or_not_there() -> None:
    assert adoption(ZONE, WWW, model(kept(WWW, *BOTH)).content(), "web") is None
    assert adoption(ZONE, WWW, model().content(), "web") is None


def test_what_someone_else_changed_meanwhile_is_named() -> None:
    claims = [claim((f"{each}.example.net.", "A")) for each in "abcd"]
    zone = model(kept(claims[0].place, "192.0.2.1"), kept(claims[1].place, "192.0.2.1"))
    plan = planned(zone, claims, CALM)
    assert list(differing(plan.changes, zone.content())) == []
    zone.put("a.example.net.", "A", "192.0.2.9")
    zone.put("b.example.net.", "A")
    zone.put("c.example.net.", "A", "192.0.2.9")
    assert list(differing(plan.changes, zone.content())) == ["a.example.net A", "b.example.net A", "c.example.net A"]
    leaving = planned(model(kept(WWW)), [], CALM)
    assert list(differing(leaving.changes, model().content())) == []


def test_another_owner_is_another_site() -> None:
    """The same zone, written by two: each has its own."""
    theirs = replace(ZONE, owner="other", primary=NameServer("ns9", "192.0.2.59"), interval=0.0)
    zone = Zone(NAME, ZONE.primary)
    made = model()
    synced(made, [claim()], CALM)
    synced(made, [claim(("api.example.net.", "A"))], CALM, zone=theirs)
    assert owned(made.content(), zone).keys() == {WWW}
    assert owned(made.content(), theirs).keys() == {("api.example.net.", "A")}
    assert planned(made, [claim()], CALM, NOW + 60).changes == ()
