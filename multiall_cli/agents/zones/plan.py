"""Changes to a zone: only records that bear our mark, or that do not exist yet."""

from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import replace
from hashlib import sha256

from multiall_cli.agents.zones.membership import ServedRecords, decide
from multiall_cli.domain.change import Change, Conflict
from multiall_cli.domain.dataclass import dataclass
from multiall_cli.domain.records import Claim, Decision, RRset, RRsetKey, ZoneContent, ZonePlan, key_of, place_of
from multiall_cli.domain.topology import Topology
from multiall_cli.domain.zones import Zone
from multiall_cli.planning.zones import ownership
from multiall_cli.planning.zones.names import is_below
from multiall_cli.planning.zones.ownership import OwnershipRecord, marker_name

_Problem = tuple[str, str]
"""(problem, what to do)."""


@dataclass(frozen=True, slots=True)
class ZoneMemory:
    """Saved state of a zone on this host.

    `held`: names that clients may have been sent to a while ago; `is_seen`: whether the site is known to have ever
    declared a name and type; `former`: the places of members at the last sync of the zone, or None if unknown.
    `members`: the only members whose place in names may change, or None: nothing else changes then.
    """

    held: Set[str] = frozenset()
    is_seen: Callable[[RRsetKey], bool] = lambda place: True
    former: Mapping[str, Set[str]] | None = None
    members: Set[str] | None = None


NOTHING = ZoneMemory()


def plan_zone(
    zone: Zone,
    claims: Sequence[Claim],
    contested: Mapping[RRsetKey, Conflict],
    content: ZoneContent,
    topology: Topology,
    now: float,
    before: ZoneMemory = NOTHING,
) -> ZonePlan:
    """Return the plan of one zone.

    `claims`: those of this zone; `contested`: places where pools conflict, which are left as they are; `content`: the
    whole zone; `before`: saved state.
    """
    ours = owned(content, zone)
    unclaimed = ours.keys() - {each.place for each in claims} - contested.keys()
    if before.members is not None:
        unclaimed, contested = set(), {}
        claims = [each for each in claims if _may_move(each, before.members, content)]
    orphans = [_orphan(place, ours[place], content, seen=before.is_seen(place)) for place in sorted(unclaimed)]
    leaving = {place_of(each.key) for each in orphans if isinstance(each, Change)}
    decisions: list[Decision] = []
    changes: list[Change[RRset]] = []
    conflicts = list(contested.values())
    for claim in claims:
        marker = marker_of(content, claim.place)
        problem = _problem(claim, marker, zone, content, leaving)
        if problem:
            conflicts.append(Conflict(key_of(claim.place), *problem))
            continue
        there = content.rrsets.get(claim.place)
        served = ServedRecords(there, marker.epoch if marker else 0.0, before.former)
        decided = decide(claim, served, topology, now, zone.interval, before.members)
        decisions.append(decided)
        if decided.wanted is not None and (change := _change(decided, there, marker)):
            changes.append(change)
    given = {each.claim.place[0] for each in decisions if each.wanted is not None}
    bare = {each[0] for each in (*contested, *(claim.place for claim in claims))} - given
    # An orphan stays if its replacement is unknown or cannot be written, or if clients are still sent to it.
    stays = bare | _targets(content, ours, changes) | before.held
    for each in orphans:
        if isinstance(each, Conflict):
            conflicts.append(each)
        elif place_of(each.key)[0] not in stays:
            changes.append(each)
    ordered = tuple(sorted(changes, key=lambda each: each.key))
    return ZonePlan(
        zone, ordered, tuple(decisions), tuple(conflicts), len(ours), content.serial, plan_id(zone.name, ordered)
    )


def _may_move(claim: Claim, members: Set[str], content: ZoneContent) -> bool:
    """Return whether members may go in or out of a name: it is no one else's business to make it."""
    is_made = claim.place in content.rrsets or marker_of(content, claim.place) is not None
    return claim.follows and is_made and not members.isdisjoint(claim.values)


def _targets(content: ZoneContent, ours: Iterable[RRsetKey], changes: Iterable[Change[RRset]]) -> set[str]:
    """Return the targets of our aliases and services, now and after the changes."""
    now = [(place, content.rrsets[place]) for place in ours if place in content.rrsets]
    then = [(place_of(each.key), each.after) for each in changes if each.after]
    leading = (rrset for place, rrset in (*now, *then) if place[1] in ("CNAME", "SRV"))
    return {value.split()[-1] for rrset in leading for value in rrset.values}


def of_pool(
    plan: ZonePlan, pool: str, claims: Iterable[Claim], content: ZoneContent, contested: Container[RRsetKey] = ()
) -> ZonePlan:
    """Return the part of a plan for one pool's names, with the removals that make room for them.

    `claims`: those of the zone; `content`: its current records; `contested`: places where pools conflict.
    """
    pools = {key_of(each.place): (each.pool, *each.pools) for each in claims}
    decisions = tuple(each for each in plan.decisions if pool in (each.claim.pool, *each.claim.pools))
    own = {each.key for each in plan.changes if pool in pools.get(each.key, (_pool_of(each),))}
    put = {place_of(each.key)[0] for each in plan.changes if each.after is not None and each.key in own}
    changes = tuple(
        each for each in plan.changes if each.key in own or (each.after is None and place_of(each.key)[0] in put)
    )
    conflicts = tuple(
        each
        for each in plan.conflicts
        if place_of(each.subject) in contested or pool in pools.get(each.subject, _marked(each, content, pool))
    )
    return replace(plan, decisions=decisions, changes=changes, conflicts=conflicts, id=plan_id(plan.zone.name, changes))


def _marked(conflict: Conflict, content: ZoneContent, pool: str) -> tuple[str, ...]:
    """Return the pools of a conflict without a claim: the pool of its mark, or else `pool`."""
    marker = marker_of(content, place_of(conflict.subject))
    return (marker.pool or pool,) if marker else (pool,)


def _pool_of(change: Change[RRset]) -> str:
    """Return the pool of a change; of a removal, the pool of its mark."""
    if change.after is not None:
        return change.after.marker
    marker = ownership.read(change.before.marker) if change.before else None
    return marker.pool if marker else ""


def pools_of(changes: Iterable[Change[RRset]], claims: Iterable[Claim]) -> tuple[str, ...]:
    """Return the pools whose names change, without duplicates, sorted."""
    claiming = {key_of(each.place): (each.pool, *each.pools) for each in claims}
    found = {pool for each in changes for pool in claiming.get(each.key, (_pool_of(each),)) if pool}
    return tuple(sorted(found))


def plan_id(zone: str, changes: Iterable[Change[RRset]]) -> str:
    """Return the id of a plan. Equal plans have equal ids."""
    told = (f"{each.key}\n{_told(each.before)}\n{_told(each.after)}\n" for each in changes)
    return sha256("\n".join([zone, *told]).encode()).hexdigest()[:12]


def _told(rrset: RRset | None) -> str:
    return rrset.brief() if rrset is not None else ""


def marker_of(content: ZoneContent, place: RRsetKey) -> OwnershipRecord | None:
    """Return the mark beside a name and type, of any owner."""
    texts = content.rrsets.get((marker_name(place), "TXT"))
    found = [ownership.read(each.strip('"')) for each in texts.values] if texts else []
    return found[0] if len(found) == 1 else None


def owned(content: ZoneContent, zone: Zone) -> Mapping[RRsetKey, OwnershipRecord]:
    """Return all names and types of a zone that bear our mark."""
    found = {}
    for name, kind in content.rrsets:
        place = ownership.marked(name) if kind == "TXT" else None
        marker = marker_of(content, place) if place else None
        if place and marker and marker.owner == zone.owner:
            found[place] = marker
    return found


def _problem(
    claim: Claim, marker: OwnershipRecord | None, zone: Zone, content: ZoneContent, leaving: Set[RRsetKey]
) -> _Problem | None:
    """Return why we cannot write a claim's records, or None."""
    there = content.rrsets.get(claim.place)
    name = f"{claim.place[0].rstrip('.')} {claim.place[1]}"
    if cut := _cut_above(claim.place[0], zone, content):
        what = f"no one is told of it: {cut} stands above it, so the zone's servers send clients elsewhere"
        return what, "declare it in the zone that those servers hold, or take that record out"
    if marker is None and (marker_name(claim.place), "TXT") in content.rrsets:
        return "the mark beside it is no mark of ours, or there are several", "look at it, and remove what is not yours"
    if marker is None:
        if there is not None:
            return f"it is there and bears no mark: {there.brief()}", _way_to_own(zone, name)
        return _in_the_way(claim, content, leaving)
    if marker.owner != zone.owner:
        what = f"it belongs to {marker.owner!r} (pool {marker.pool}), and this site writes as {zone.owner!r}"
        todo = f"if `owner:` was changed, `multiall dns adopt {name} --from-owner {marker.owner}` takes it over"
        return what, f"{todo}; else take the name out of one of the two sites"
    if marker.digest != ownership.digest(there.values if there else ()):
        return _edited(there, name)
    return None if there else _in_the_way(claim, content, leaving)


def _way_to_own(zone: Zone, name: str) -> str:
    """Return how to take a name over. In a zone file, a line outside our block would duplicate ours, so it must go."""
    return f"take it out of {zone.file}, and sync" if zone.file else f"`multiall dns adopt {name}` takes it over"


def _cut_above(name: str, zone: Zone, content: ZoneContent) -> str:
    """Return the record that takes a name away from this zone, or ''.

    That is a delegation at or above it (RFC 1034, 4.2), or a DNAME above it (RFC 6672, 2.3). BIND accepts records
    below, but never serves them.
    """
    at = name
    while at and at != zone.name and is_below(at, zone.name):
        if (at, "NS") in content.rrsets:
            return f"the delegation of {at.rstrip('.')} (NS)"
        at = at.partition(".")[2]
        if (at, "DNAME") in content.rrsets:
            return f"the DNAME of {at.rstrip('.')}"
    return ""


def is_covered(place: RRsetKey, there: Container[RRsetKey]) -> bool:
    """Return whether a wildcard may answer for a name without records (RFC 4592). `there`: all existing places."""
    name, kind = place
    labels = name.split(".")
    above = {"*." + ".".join(labels[at:]) for at in range(1, len(labels) - 1)}
    return any((each, found) in there for each in above for found in (kind, "CNAME"))


def _edited(there: RRset | None, name: str) -> _Problem:
    now = there.brief() if there else "no records"
    return f"someone has edited it since we wrote it: {now}", f"`multiall dns adopt {name}` lets us write it again"


def _in_the_way(claim: Claim, content: ZoneContent, leaving: Set[RRsetKey]) -> _Problem | None:
    """Return why an alias conflicts with other records: it must be alone at its name (RFC 1034, 3.6.2).

    BIND answers NOERROR to an update that breaks this rule, and does nothing. `leaving`: our places that the same run
    removes.
    """
    name, kind = claim.place
    if kind == "CNAME":
        others = sorted(
            found
            for (at, found) in content.rrsets
            if at == name and found not in _OF_DNSSEC and (at, found) not in leaving
        )
        if others:
            return f"an alias cannot stand beside the {', '.join(others)} of this name", "remove those, or the alias"
    elif (name, "CNAME") in content.rrsets and (name, "CNAME") not in leaving:
        return "the name is an alias (CNAME), beside which nothing else can stand", "remove the alias first"
    return None


_OF_DNSSEC = ("RRSIG", "NSEC", "NSEC3", "DNSKEY", "CDS", "CDNSKEY", "NSEC3PARAM", "TYPE65534")


def _change(decided: Decision, there: RRset | None, marker: OwnershipRecord | None) -> Change[RRset] | None:
    wanted, key = decided.wanted, key_of(decided.claim.place)
    if wanted is None or (there is None and not wanted.values):
        return None
    before = there or (RRset(0, ()) if marker else None)
    if before is not None:
        before = RRset(before.ttl, before.values, marker.text if marker else "")
    after = RRset(wanted.ttl if wanted.values else 0, wanted.values, decided.claim.pool)
    return Change(key, before, after) if before != after else None


def _orphan(place: RRsetKey, marker: OwnershipRecord, content: ZoneContent, *, seen: bool) -> Change[RRset] | Conflict:
    """Return the change or conflict for marked records that nothing declares; they may be another site's."""
    there = content.rrsets.get(place)
    if not seen:
        what = f"nothing declares it, nor did here before, and it bears our mark (pool {marker.pool}): another site's?"
        todo = "give one of the sites another `owner:`, or take it out with `dns sync --force-guard zones.unseen`"
        return Conflict(key_of(place), what, todo)
    if there is not None and marker.digest != ownership.digest(there.values):
        what, _ = _edited(there, key_of(place))
        todo = f"remove the TXT of {marker_name(place).rstrip('.')}, and the records if no one needs them"
        return Conflict(key_of(place), f"nothing declares it any longer, and {what}", todo)
    before = there or RRset(0, ())
    return Change(key_of(place), RRset(before.ttl, before.values, marker.text), None)


def adoption(zone: Zone, place: RRsetKey, content: ZoneContent, pool: str) -> Change[RRset] | None:
    """Return the change that puts our mark beside existing records, or None if the mark is already there."""
    there, marker = content.rrsets.get(place), marker_of(content, place)
    values = there.values if there else ()
    if marker and marker.owner == zone.owner and marker.digest == ownership.digest(values):
        return None
    ttl = there.ttl if there else 0
    before = RRset(ttl, values, marker.text if marker else "") if there or marker else None
    return Change(key_of(place), before, RRset(ttl, values, pool)) if before else None


def beyond(changes: Iterable[Change[RRset]], approved: Iterable[Change[RRset]]) -> list[str]:
    """Return the keys of changes that were not approved: the current or the desired records differ."""
    known = {(each.key, _values(each.before), each.after) for each in approved}
    return [each.key for each in changes if (each.key, _values(each.before), each.after) not in known]


def _values(rrset: RRset | None) -> tuple[str, ...]:
    return rrset.values if rrset is not None else ()


def differing(before: Iterable[Change[RRset]], content: ZoneContent) -> Iterator[str]:
    """Yield the keys of a plan whose records have changed since the plan was made."""
    for each in before:
        there = content.rrsets.get(place_of(each.key))
        if (there.values if there else ()) != (each.before.values if each.before else ()):
            yield each.key
