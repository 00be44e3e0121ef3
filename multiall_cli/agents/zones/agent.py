"""Zone agent (DNS-SA): keeps the names of pools in one zone as topology and health ask for."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from hashlib import sha256
from typing import ClassVar

from multiall_cli.agents.zones import known_names, resolver_cache
from multiall_cli.agents.zones.guards import CHANGES, HOUR, UNSEEN, brakes, losses_of
from multiall_cli.agents.zones.item import OwnedRecords, Unchanged, ZoneSnapshot, after_of, records_of
from multiall_cli.agents.zones.membership import place_of_record, short_lived, standing
from multiall_cli.agents.zones.plan import ZoneMemory, of_pool, owned, plan_zone, pools_of
from multiall_cli.agents.zones.session import Writer, ZoneSession
from multiall_cli.agents.zones.state import (
    DEPARTURES,
    LATE,
    MEMBERS,
    NAMES,
    PUSHED,
    ZoneState,
    pack_members,
    pack_retired,
)
from multiall_cli.domain.change import Change, Conflict, Overlay, Snapshot
from multiall_cli.domain.dataclass import dataclass
from multiall_cli.domain.plan import AgentPlan, Alarm, Desired
from multiall_cli.domain.records import Claim, Decision, RRset, RRsetKey, ZoneContent, ZonePlan, key_of, rrset_of
from multiall_cli.domain.run import Entry
from multiall_cli.domain.scope import Purpose, Role, Subject, pool_scope, zone_scope
from multiall_cli.domain.zones import Zone
from multiall_cli.ports.agent import Known, Moment, PoolView, Ports, StateInput
from multiall_cli.ports.dns import NameServers

UNSEEN_GUARD = f"zones.{UNSEEN}"
DELIBERATE = (CHANGES, HOUR)
"""Guards that do not apply to a drain: a batch leaves all of its names. The minimum numbers of members still apply."""

GivenChanges = Callable[[ZoneContent], Iterable[Change[RRset]]]
"""Returns changes to make in a zone, for example an adoption. Raises Refused."""


@dataclass(frozen=True, slots=True)
class ZoneAgent:
    """Names of all pools in one zone.

    `claims`: what pools ask for there; `contested`: conflicts between them; `writer`: the name under which this host
    writes; `pool`: only its names are changed ('': all); `given`: the changes to make instead of what pools ask for.
    """

    zone: Zone
    servers: NameServers
    writer: Writer
    claims: Sequence[Claim]
    contested: Mapping[RRsetKey, Conflict]
    pool: str = ""
    given: GivenChanges | None = None

    kind: ClassVar[str] = "zones"
    attempts: ClassVar[int] = 3

    @property
    def name(self) -> str:
        return f"zones:{self.zone.shown}"

    def subjects(self) -> Sequence[Subject]:
        shown = self.zone.shown
        return [Subject(shown, self.zone.primary.name, Role.SERVICE, zone_scope(shown))]

    def open(self, subject: Subject, known: Known, ports: Ports) -> ZoneSession:
        inputs = None if self.given else self.inputs(known)
        return ZoneSession(self.zone, self.servers, self.writer, known, ports, inputs)

    # --- decisions --------------------------------------------------------------------------------------------------

    def desired(self, view: PoolView[OwnedRecords]) -> Mapping[str, Desired[OwnedRecords]]:
        return {name: self._desired(observed, view.known) for name, observed in view.observed.items()}

    def _desired(self, observed: Snapshot[OwnedRecords], known: Known) -> Desired[OwnedRecords]:
        is_whole = not (self.pool or self.given or known.members is not None)
        if isinstance(observed, Unchanged):
            plan = ZonePlan(self.zone, (), ours=observed.ours, serial=observed.serial)
            return Desired(observed, detail=plan, is_whole=is_whole)
        assert isinstance(observed, ZoneSnapshot)  # noqa: S101  (a session observes one of the two)
        plan = self.plan(observed.content, known)
        after = after_of(plan.changes)
        return Desired(
            Overlay(observed, after) if after else observed,
            plan.conflicts,
            (*map(key_of, plan.bare), *self._staying(plan, known)),
            plan.notes,
            plan,
            is_whole,
            tuple(map(pool_scope, pools_of(plan.changes, self.claims))),
        )

    def plan(self, content: ZoneContent, known: Known) -> ZonePlan:
        """Return the changes to a zone that was read."""
        state, zone = self.state_of(known), self.zone
        if self.given:
            changes = tuple(sorted(self.given(content), key=lambda each: each.key))
            return ZonePlan(zone, changes, ours=len(owned(content, zone)), serial=content.serial)
        if known.purpose is not Purpose.SYNC:
            zone = replace(zone, interval=0.0)  # planned changes are not damped
        held = {each.value.split()[-1] for each in state.held(known.now) if each.until > known.now}
        names = known_names.unpack(state.names)

        def is_seen(place: RRsetKey) -> bool:
            return UNSEEN_GUARD in known.open_guards or known_names.short(place) in names

        before = ZoneMemory(held, is_seen, state.members, known.members)
        plan = plan_zone(zone, self.claims, self.contested, content, known.topology, known.now, before)
        return of_pool(plan, self.pool, self.claims, content, self.contested) if self.pool else plan

    def _staying(self, plan: ZonePlan, known: Known) -> list[str]:
        """Return why members that are to be drained stay in names."""
        if known.purpose is not Purpose.DRAIN:
            return []
        leaving = known.members or frozenset()
        return [_too_few(each) for each in plan.decisions if each.wanted and _gives(each, leaving)]

    def alarms(
        self, part: AgentPlan[OwnedRecords], known: Known, recent: Callable[[], Iterable[Entry]]
    ) -> Sequence[Alarm]:
        assert isinstance(part.detail, ZonePlan)  # noqa: S101  (it is our own)
        plan = replace(part.detail, changes=records_of(part.changes))
        lately: dict[str, set[str]] = {}
        for entry in recent():
            change = Change(entry.key, rrset_of(entry.before), rrset_of(entry.after))
            for key, values in losses_of([change]).items():
                lately.setdefault(key, set()).update(values)
        ignored = () if known.purpose is Purpose.SYNC else DELIBERATE
        found = brakes(plan, known.topology, lately, frozenset(ignored))
        return [Alarm(f"zones.{each.name}", self.zone.shown, each.words) for each in found]

    def inputs(self, known: Known) -> str:
        """Return a hash of all inputs of the desired records, except the zone itself."""
        names = sorted({name for each in self.claims if each.follows for name in each.values})
        standings = [(name, standing(known.topology, name).stand.value) for name in names]
        low = [short_lived(each, known.topology, known.now) for each in self.claims if each.follows]
        told = [self.zone.owner, self.zone.primary, self.claims, standings, low, sorted(self.contested)]
        return sha256(repr(told).encode()).hexdigest()

    # --- state ------------------------------------------------------------------------------------------------------

    def state_of(self, known: Known) -> ZoneState:
        return ZoneState.read(lambda part: known.state(self.zone.shown, part), known.now)

    def state(self, source: StateInput[OwnedRecords]) -> Mapping[str, bytes]:
        """Return the names and places of now, and what clients may have cached: at worst, until it is known better."""
        observed, state = source.observed, self.state_of(source.known)
        if not isinstance(observed, ZoneSnapshot):
            return {}
        match source.moment:
            case Moment.OBSERVED:
                moved = {DEPARTURES: pack_retired(state.retired)} if state.is_moved else {}
                return moved if self.given else {**moved, **self._declared(observed.content, state)}
            case Moment.INTENDED:
                return self._retired(source, state, self.zone.within)
            case Moment.APPLIED:
                return self._applied(source, observed, state)
        return {}

    def _applied(
        self, source: StateInput[OwnedRecords], observed: ZoneSnapshot, state: ZoneState
    ) -> Mapping[str, bytes]:
        if source.settlement is None:
            return self._retired(source, state, self.zone.within)
        lags = source.settlement.lags
        if not lags:
            return {}  # nothing has changed, or it is unknown what has: what was saved as intended holds
        longest = max(each.seconds or self.zone.within for each in lags)
        late = b"1" if any(each.trouble for each in lags) else b""
        pushed = {PUSHED: str(source.known.now).encode()} if observed.is_pushed_again else {}
        return {**self._retired(source, state, longest), LATE: late, **pushed}

    def _retired(self, source: StateInput[OwnedRecords], state: ZoneState, lag: float) -> dict[str, bytes]:
        now, changes = source.known.now, records_of(source.changes)
        return {DEPARTURES: pack_retired(resolver_cache.held_by_clients(state.held(now), changes, now, lag))}

    def _declared(self, content: ZoneContent, state: ZoneState) -> dict[str, bytes]:
        declared = [*(claim.place for claim in self.claims), *self.contested]
        names = known_names.noted(state.names, declared, lambda: owned(content, self.zone))
        return {NAMES: names, MEMBERS: pack_members(self._places(content, state.members or {}))}

    def _places(self, content: ZoneContent, former: Mapping[str, Iterable[str]]) -> dict[str, set[str]]:
        """Return the members' current places, and former places as long as the zone still gives them."""
        now: dict[str, set[str]] = {}
        for claim in self.claims:
            for name, value in claim.values.items() if claim.follows else ():
                now.setdefault(name, set()).add(place_of_record(value))
        moved = {name: set(former.get(name, ())) - places for name, places in now.items()}
        if any(moved.values()):
            ours = (content.rrsets.get(place) for place in owned(content, self.zone))
            there = {place_of_record(value) for rrset in ours if rrset for value in rrset.values}
            now |= {name: now[name] | (places & there) for name, places in moved.items()}
        return now


def _gives(decision: Decision, members: Iterable[str]) -> bool:
    claim, values = decision.claim, set(decision.wanted.values if decision.wanted else ())
    return claim.follows and any(claim.values.get(name) in values for name in members)


def _too_few(decision: Decision) -> str:
    return f"{key_of(decision.claim.place)} would have too few members: {'; '.join(decision.notes)}"
