"""Members to publish in a name now: healthy members by the topology, within the name's floor."""

from collections.abc import Mapping, Sequence, Set

from multiall_cli.domain.baseline import CRITICAL, UNKNOWN
from multiall_cli.domain.dataclass import dataclass
from multiall_cli.domain.records import Claim, Decision, Membership, MembershipDecision, RRset
from multiall_cli.domain.topology import DowntimeKind, State, Topology
from multiall_cli.domain.zones import BelowMinimum

LOW_TTL = 60
"""TTL in seconds around a planned absence of a member."""
ABSENCES = (DowntimeKind.DRAIN, DowntimeKind.MAINTENANCE)


@dataclass(frozen=True, slots=True)
class ServedRecords:
    """Current records of a claim.

    `written`: when we last wrote it, in seconds since the epoch (0: never); `former`: the places (see
    `place_of_record`) of each member at the last sync of the zone, or None if unknown.
    """

    rrset: RRset | None = None
    written: float = 0.0
    former: Mapping[str, Set[str]] | None = None

    @property
    def values(self) -> set[str]:
        return set(self.rrset.values) if self.rrset else set()


def place_of_record(value: str) -> str:
    """Return the target of a record, without its other fields: an address or a host."""
    return value.split()[-1]


def standing(topology: Topology, server: str) -> MembershipDecision:
    """Return whether a member goes in, goes out or stays.

    Only a certain loss takes it out, and only certain health brings it in.
    """
    return MembershipDecision(server, *_standing(topology, server))


def _standing(topology: Topology, server: str) -> tuple[Membership, str]:
    word = topology.planned_of(server)
    if word is not None:
        stand = Membership.IN if word.what is DowntimeKind.PINNED_UP else Membership.OUT
        return stand, f"{word.what.value}: {word.because}"
    if topology.frozen:
        return Membership.HOLD, f"the topology is frozen: {topology.frozen}"
    verdict = topology.verdicts.get(server)
    if verdict is None or verdict.state is State.UNKNOWN:
        return Membership.HOLD, "no scan has seen it yet"
    if topology.is_stale(server):
        return Membership.HOLD, f"no scan has looked at it for {topology.at - topology.seen_at(server):.0f} s"
    if verdict.state is State.DOWN:
        return Membership.OUT, f"it is down: {verdict.reason}"
    if verdict.flapping:
        return Membership.HOLD, f"it is {verdict.state.value}, and comes and goes"
    if verdict.state is not State.UP:
        return Membership.HOLD, f"it is {verdict.state.value}{f': {verdict.reason}' if verdict.reason else ''}"
    return _by_health(topology, server)


def _by_health(topology: Topology, server: str) -> tuple[Membership, str]:
    code = topology.health_of(server)
    if code is not None and code // 100 == CRITICAL:
        return Membership.OUT, f"its rules say {code.value} {code.name.lower().replace('_', ' ')}"
    if code is not None and code // 100 == UNKNOWN:
        return Membership.HOLD, f"of its health little is known ({code.value} {code.name.lower().replace('_', ' ')})"
    return Membership.IN, "it is up" if code is None else "it is up and well"


def decide(
    claim: Claim,
    found: ServedRecords,
    topology: Topology,
    now: float,
    interval: float,
    members: Set[str] | None = None,
) -> Decision:
    """Return the records that a claim should have.

    `interval`: seconds after a change in which nothing is added; `members`: the only ones that may go in or out (None:
    all). If only one member is given at a time, any other may take its place.
    """
    if not claim.follows:
        steady = RRset(claim.ttl, tuple(sorted(set(claim.values.values()))))
        return Decision(claim, steady, there=found.rrset)
    there = found.values
    ttl = found.rrset.ttl if members is not None and found.rrset and there else _ttl(claim, topology, now)
    is_free = members is None or claim.first
    standings = tuple(
        standing(topology, name)
        if is_free or name in (members or ())
        else MembershipDecision(name, Membership.HOLD, "this run is not about it")
        for name in claim.values
    )
    inside = [each.server for each in standings if _is_in(each, claim, found)]
    chosen, notes = _chosen(claim, inside, standings, there)
    if (lost := _of_no_one(claim, standings, chosen, found)) - chosen:
        chosen, notes = chosen | lost, (*notes, f"{', '.join(sorted(lost))} may be a member's of whom little is known")
    # `abs`: a time from a clock that was ahead must not delay additions for hours.
    early = there and abs(now - found.written) < interval
    if early and chosen - there and (staying := _staying(claim, standings, chosen, there)):
        chosen = staying
        notes = (*notes, f"what comes back waits until {interval:g} s after the last change")
    if not chosen and claim.on_floor is not BelowMinimum.EMPTY:
        kept = found.rrset.values if found.rrset else ()
        wanted = RRset(ttl, kept) if kept else None
        return Decision(claim, wanted, standings, notes, found.rrset)
    wanted = RRset(ttl, tuple(sorted(chosen)))
    return Decision(claim, wanted, standings, notes, found.rrset)


def _staying(claim: Claim, standings: Sequence[MembershipDecision], chosen: set[str], there: set[str]) -> set[str]:
    """Return the records to publish while additions wait for the interval.

    Empty if they cannot wait: there would be fewer records than the floor, or only those of members that must go.
    """
    gone = {claim.values[each.server] for each in standings if each.stand is Membership.OUT}
    least = max(1, min(_floor(claim), len(there)))
    return next((left for left in (chosen & there, there - gone) if len(left) >= least), set())


def _floor(claim: Claim) -> int:
    floor = claim.at_least.of(len(claim.values)) if claim.at_least.number else 0
    return min(floor, 1) if claim.first else floor


def _is_in(each: MembershipDecision, claim: Claim, found: ServedRecords) -> bool:
    return each.stand is Membership.IN or (each.stand is Membership.HOLD and _is_given(each.server, claim, found))


def _is_given(server: str, claim: Claim, found: ServedRecords) -> bool:
    """Return whether clients are sent to a member now, by its declared or its former record."""
    given = set(map(place_of_record, found.values))
    declared = set(map(place_of_record, claim.values.values()))
    former = (found.former or {}).get(server, set()) - declared
    return place_of_record(claim.values[server]) in given or not former.isdisjoint(given)


def _of_no_one(
    claim: Claim, standings: Sequence[MembershipDecision], chosen: Set[str], found: ServedRecords
) -> set[str]:
    """Return records of no known member, to keep while they may belong to a member that must stay."""
    unknown = [each for each in standings if each.stand is Membership.HOLD and claim.values[each.server] not in chosen]
    if claim.first or found.former is not None or not unknown:
        return set()
    declared = set(map(place_of_record, claim.values.values()))
    return {value for value in found.values if place_of_record(value) not in declared}


def _chosen(
    claim: Claim, inside: Sequence[str], standings: Sequence[MembershipDecision], there: set[str]
) -> tuple[set[str], tuple[str, ...]]:
    """Return the records to publish, and notes if they are not simply those of the members that are in."""
    own = set(claim.values.values())
    chosen = {claim.values[name] for name in (inside[:1] if claim.first else inside)}
    floor = _floor(claim)
    if len(inside) >= floor:
        return chosen, ()
    words = f"{len(inside)} of {len(claim.values)} members can serve, and at least {floor} are wanted"
    match claim.on_floor:
        case BelowMinimum.ALL:
            able = [claim.values[each.server] for each in standings if each.stand is not Membership.OUT]
            if len(able) >= floor:
                return set(able), (f"{words}: those of whom little is known are given too",)
            return own, (f"{words}: all are given",)
        case BelowMinimum.EMPTY:
            return chosen, (f"{words}: only those are given",)
        case BelowMinimum.SORRY if claim.sorry:
            return set(claim.sorry), (f"{words}: clients are sent to {', '.join(claim.sorry)}",)
    if not (chosen or there):
        return set(), (f"{words}: it gives nothing, until `multiall topology scan` finds some up",)
    return chosen if claim.first and chosen else chosen | there, (f"{words}: no one is taken out",)


def short_lived(claim: Claim, topology: Topology, now: float) -> bool:
    """Return whether an absence is under way, or begins before the current records expire from caches."""
    said = [each for name in claim.values for each in topology.planned.get(name, ()) if each.what in ABSENCES]
    return any(each.begins - claim.ttl <= now < each.ends for each in said)


def _ttl(claim: Claim, topology: Topology, now: float) -> int:
    """Return a short TTL ahead of a planned absence, so that no cache holds a record for long when it begins."""
    return min(claim.ttl, LOW_TTL) if short_lived(claim, topology, now) else claim.ttl
