"""Sync of one zone: read, plan, check guards, write with prerequisites, notify the secondaries, and verify them all."""

import json
import random
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from contextlib import suppress
from dataclasses import replace
from hashlib import sha256
from typing import Any

from multiall_cli.domain.change import Change, Conflict
from multiall_cli.domain.dataclass import dataclass
from multiall_cli.domain.errors import Locked, MemberFault, MultiAllError, Refused, Unreachable
from multiall_cli.domain.exits import Exit
from multiall_cli.domain.records import (
    Leasing,
    RRset,
    RRsetKey,
    ServerZoneStatus,
    UpdateResult,
    ZoneContent,
    ZonePlan,
    ZoneReport,
    place_of,
    rrset_of,
)
from multiall_cli.domain.run import Entry, Progress, Run, Stage
from multiall_cli.domain.scope import Purpose, pool_scope
from multiall_cli.domain.zones import Zone
from multiall_cli.engine.desk import (
    ZoneContext,
    agent_of,
    departed,
    is_late,
    members_before,
    note_late,
    note_members,
    note_seen,
    pushed_at,
    remember,
    save,
    scope_of,
    seen_before,
    store_id,
)
from multiall_cli.engine.operator import holder, new_run_id
from multiall_cli.engine.spreading import POLLS, Propagation, secondary_status
from multiall_cli.planning.guard_names import NAMES, flags
from multiall_cli.planning.zones import leases, ownership, resolver_cache, serials
from multiall_cli.planning.zones.guards import UNSEEN, brakes, losses_of
from multiall_cli.planning.zones.known_names import short
from multiall_cli.planning.zones.membership import place_of_record, short_lived, standing
from multiall_cli.planning.zones.ownership import OwnershipRecord
from multiall_cli.planning.zones.plan import (
    ZoneMemory,
    beyond,
    differing,
    is_covered,
    of_pool,
    owned,
    plan_id,
    plan_zone,
    pools_of,
)

TRIES = 3  # plans of one run, if others write to the zone at the same time
HOUR = 3600.0
ROLLOUT = "dns rollout"  # verb of runs that drain members for a while, and restore them
FOLLOW = 2.0  # seconds in which servers should learn of a released lease
HELD_AGAIN = 0.5  # seconds between two checks whether another host has ended
READ_AGAIN = 600.0  # seconds after which a zone is read even though its serial is unchanged
PUSHED_AGAIN = 3600.0  # seconds after which a file is pushed again to a primary that serves an older one


@dataclass(frozen=True, slots=True)
class ZoneSyncOptions:
    """Options of the operator; the same as for a pool.

    `pool`: only its names; '': all. `approved`: zone → the plan that was approved as part of a larger one; None: no
    such plan.
    """

    verb: str = "dns sync"
    purpose: Purpose = Purpose.SYNC
    pool: str = ""
    plan: str = ""
    forced: frozenset[str] = frozenset()
    lock_wait: float = 0.0
    confirm: Callable[[ZonePlan], bool] = lambda plan: True
    approved: Mapping[str, ZonePlan] | None = None


def look(desk: ZoneContext, zone: Zone, pool: str = "", forced: Set[str] = frozenset()) -> ZonePlan:
    """Return what a sync would change, of one pool's names or of all. Reads only. Raises Unreachable, MemberFault."""
    return planned(desk, zone, _read(desk, zone), pool, forced)


def sync(desk: ZoneContext, zone: Zone, wish: ZoneSyncOptions) -> ZoneReport:
    """Bring a zone to the state that pools and topology ask for. Raises Locked, Refused, Unreachable, MemberFault."""
    return _locked(desk, zone, wish, lambda: _sync(desk, zone, wish))


def put(
    desk: ZoneContext, zone: Zone, wish: ZoneSyncOptions, wanted: Callable[[ZoneContent], Iterable[Change[RRset]]]
) -> ZoneReport:
    """Make given changes, for example an adoption or a rollback. Raises as `sync` does."""

    def made() -> ZoneReport:
        content = _read(desk, zone)
        changes = tuple(sorted(wanted(content), key=lambda each: each.key))
        plan = replace(planned(desk, zone, content), changes=changes, decisions=(), conflicts=())
        plan = replace(plan, id=plan_id(zone.name, changes))
        if not changes:
            return ZoneReport(plan)
        refuse_held(desk, zone, content)
        _check(desk, plan, wish)
        if not wish.confirm(plan):
            return ZoneReport(plan, stopped="not confirmed; nothing was changed", exit=Exit.REFUSED)
        return _Writing(desk, zone, wish, lambda content: None).run(content, plan)

    return _locked(desk, zone, wish, made)


def _locked(desk: ZoneContext, zone: Zone, wish: ZoneSyncOptions, work: Callable[[], ZoneReport]) -> ZoneReport:
    context = desk.context
    with context.store.locks.hold(scope_of(zone), holder(context, f"{wish.verb} {zone.shown}"), wish.lock_wait):
        try:
            return work()
        except Unreachable as fault:
            if fault.subject != zone.primary.name:
                raise
            return _deferred(desk, zone, wish, fault)


def _sync(desk: ZoneContext, zone: Zone, wish: ZoneSyncOptions) -> ZoneReport:
    if not wish.plan and (known := _as_last_time(desk, zone)):
        return known
    content = _read(desk, zone)
    plan = _planned(desk, zone, content, wish)
    if plan.changes:
        content = _free(desk, zone, wish, content)
        plan = _planned(desk, zone, content, wish)
    note_seen(desk, zone, lambda: owned(content, zone))
    note_members(desk, zone, lambda: _places_given(content, zone))
    _hold(zone, plan, wish)
    if not plan.changes and not _behind(desk, zone, plan):
        return _nothing_to_do(desk, zone, plan, wish.pool)
    _check(desk, plan, wish)
    if not wish.confirm(plan):
        return ZoneReport(plan, stopped="not confirmed; nothing was changed", exit=Exit.REFUSED)
    return _Writing(desk, zone, wish, lambda content: _planned(desk, zone, content, wish)).run(content, plan)


def _free(desk: ZoneContext, zone: Zone, wish: ZoneSyncOptions, content: ZoneContent) -> ZoneContent:
    """Return the zone once no other host writes to it, read again after a wait. Raises Locked."""
    until = desk.context.clock.monotonic() + wish.lock_wait
    while True:
        try:
            refuse_held(desk, zone, content)
            return content
        except Locked:
            if desk.context.clock.monotonic() >= until or desk.context.stop():
                raise
        desk.context.pause(HELD_AGAIN)
        content = _read(desk, zone)


def refuse_held(desk: ZoneContext, zone: Zone, content: ZoneContent) -> None:
    """Raise Locked if another admin host has the lease of the zone."""
    now, me = desk.context.clock.now(), holder(desk.context, "")
    held = None if zone.file else leases.held_by_another(content, zone, store_id(desk.context.store, me.host), now)
    if held is not None:
        what = f"it is held by {held.by} (run {held.run}), for {held.expires - now:.0f} s at most"
        raise Locked(f"zone {zone.shown}", what, "wait for it, or use --lock-wait SECONDS")


def _hold(zone: Zone, plan: ZonePlan, wish: ZoneSyncOptions) -> None:
    """Raise Refused if a plan is not the approved one. A drain may already have done part of the approved plan."""
    if wish.plan and wish.plan != plan.id:
        what = f"the plan is now {plan.id}, not {wish.plan}: something changed since"
        raise Refused(f"zone {zone.shown}", what, "look at `multiall dns plan` again")
    if wish.approved is None:
        return
    before = wish.approved.get(zone.id)
    if more := beyond(plan.changes, before.changes if before else ()):
        what = f"{len(more)} changes are not in the plan ({more[0]} first): something changed since"
        raise Refused(f"zone {zone.shown}", what, f"look at `multiall pool plan {wish.pool}` again")


def _planned(desk: ZoneContext, zone: Zone, content: ZoneContent, wish: ZoneSyncOptions) -> ZonePlan:
    return planned(desk, zone, content, wish.pool, forced=wish.forced)


def planned(
    desk: ZoneContext, zone: Zone, content: ZoneContent, pool: str = "", forced: Set[str] = frozenset()
) -> ZonePlan:
    """Return what a sync would change in a zone that was read."""
    now, seen = desk.context.clock.now(), seen_before(desk.context.store, zone)
    held = {each.value.split()[-1] for each in departed(desk.context.store, zone, now) if each.until > now}

    def is_seen(place: RRsetKey) -> bool:
        return UNSEEN in forced or short(place) in seen

    before = ZoneMemory(held, is_seen, members_before(desk.context.store, zone))
    plan = plan_zone(zone, desk.of(zone), desk.contested(zone), content, desk.topology, now, before)
    return of_pool(plan, pool, desk.of(zone), content, desk.contested(zone)) if pool else plan


def _places_given(content: ZoneContent, zone: Zone) -> set[str]:
    """Return the places that our records point to."""
    ours = (content.rrsets.get(place) for place in owned(content, zone))
    return {place_of_record(value) for rrset in ours if rrset for value in rrset.values}


def _read(desk: ZoneContext, zone: Zone) -> ZoneContent:
    away = desk.context.away.get(zone.primary.name)
    if away is not None:
        raise away
    content = desk.servers.read(zone)
    desk.context.watch(Progress("read", zone.primary.name, len(content.rrsets)))
    return content


def braked(desk: ZoneContext, plan: ZonePlan, forced: Set[str] = frozenset()) -> tuple[str, str]:
    """Return why a plan looks like an accident, and the options that override the guards; '' if it does not."""
    if not plan.changes:
        return "", ""
    found = brakes(plan, desk.topology, lost_lately(desk, plan.zone), forced)
    return "; ".join(each.words for each in found), flags(NAMES, [each.name for each in found])


def _check(desk: ZoneContext, plan: ZonePlan, wish: ZoneSyncOptions) -> None:
    """Raise Refused if the plan looks like an accident."""
    words, flags = braked(desk, plan, wish.forced)
    if words:
        todo = f"look at `multiall dns plan {plan.zone.shown}`, and if it is meant: {flags}"
        raise Refused(f"zone {plan.zone.shown}", f"{words}; that looks like an accident, so nothing was changed", todo)


def lost_lately(desk: ZoneContext, zone: Zone) -> dict[str, set[str]]:
    """Return the names and types that lost records in the last hour, with the records, from the journal.

    Rollouts do not count: they take out one batch at a time on purpose.
    """
    entries = desk.context.store.journal.recent(agent_of(zone), desk.context.clock.now() - HOUR)
    made = (each for each in entries if each.stage is Stage.DONE and each.purpose is Purpose.SYNC)
    found: dict[str, set[str]] = {}
    for each in made:
        for key, values in losses_of([Change(each.key, rrset_of(each.before), rrset_of(each.after))]).items():
            found.setdefault(key, set()).update(values)
    return found


# --- nothing to do --------------------------------------------------------------------------------------------------


def _behind(desk: ZoneContext, zone: Zone, plan: ZonePlan) -> bool:
    """Return whether a primary serves an older zone than its file has: it was away, or did not reload.

    If a push a while ago did not help, it is not repeated each time.
    """
    if not zone.file:
        return False
    primaries = {each.name for each in (zone.primary, *zone.mirrors)}
    served = [
        each.serial for each in secondary_status(desk, zone) if each.server in primaries and each.serial is not None
    ]
    if not any(serials.is_after(plan.serial, each) for each in served):
        return False
    now, last = desk.context.clock.now(), pushed_at(desk.context.store, zone)
    note_late(desk.context.store, zone, late=True)
    if 0 <= now - last < PUSHED_AGAIN:
        return False
    save(desk.context.store, zone, "pushed", str(now).encode())
    return True


def _as_last_time(desk: ZoneContext, zone: Zone) -> ZoneReport | None:
    """Return an empty report if the zone and all its inputs are as at the last sync without changes. Costs one query.

    Now and then the zone is read all the same: a restored zone may have other records under the same serial.
    """
    context = desk.context
    if zone.file or zone.primary.name in context.away or _open(desk, zone) or is_late(context.store, zone):
        return None
    told = recall_zone(context.store.cache.get(f"zone:{zone.id}"))
    if told is None or told["wish"] != _wish(desk, zone) or not 0 <= context.clock.now() - told["at"] < READ_AGAIN:
        return None
    if desk.servers.serial(zone, zone.primary) != told["serial"]:
        return None
    plan = ZonePlan(zone, (), ours=told["ours"], serial=told["serial"], id=plan_id(zone.name, ()))
    return ZoneReport(plan)


def recall_zone(kept: bytes | None) -> dict[str, Any] | None:
    """Return the result of the last sync without changes; None if it is missing or has another format."""
    try:
        told = json.loads(kept or b"")
        shapes: dict[str, Any] = {"at": (int, float), "serial": int, "ours": int, "wish": str}
        return told if all(isinstance(told[key], shape) for key, shape in shapes.items()) else None
    except (ValueError, TypeError, KeyError, RecursionError):
        return None


def _nothing_to_do(desk: ZoneContext, zone: Zone, plan: ZonePlan, pool: str = "") -> ZoneReport:
    code, served = plan.code, list[ServerZoneStatus]()
    store, clock = desk.context.store, desk.context.clock
    if is_late(store, zone):
        served = Propagation(desk, zone, plan.serial, {}, clock.monotonic()).everywhere()
        late = any(each.trouble for each in served)
        remember(store, zone, departed(store, zone, clock.now()))  # until now a late server may have given it
        note_late(store, zone, late=late)
        code = max(code, Exit.PARTIAL) if late else code
    if not pool and not any(each.trouble for each in served):  # otherwise the state of other names is unknown
        _close_books(desk, zone, "")
        if not plan.conflicts and not plan.notes:
            told = {"serial": plan.serial, "ours": plan.ours, "wish": _wish(desk, zone), "at": clock.now()}
            store.cache.put(f"zone:{zone.id}", json.dumps(told).encode())
    return ZoneReport(plan, servers=tuple(served), exit=code)


def _wish(desk: ZoneContext, zone: Zone) -> str:
    """Return a hash of all inputs of a zone's desired records, except the zone itself."""
    claims, now = desk.of(zone), desk.context.clock.now()
    members = sorted({name for each in claims if each.follows for name in each.values})
    standings = [(name, standing(desk.topology, name).stand.value) for name in members]
    low = [short_lived(each, desk.topology, now) for each in claims if each.follows]
    told = [zone.owner, zone.primary, claims, standings, low, sorted(desk.contested(zone))]
    return sha256(repr(told).encode()).hexdigest()


def _open(desk: ZoneContext, zone: Zone) -> bool:
    """Return whether the journal or the backlog has open entries of this zone."""
    store, scope = desk.context.store, scope_of(zone)
    return bool(store.journal.pending(scope) or store.backlog.entries(scope))


def _close_books(desk: ZoneContext, zone: Zone, run: str) -> None:
    """Finish a zone that is as desired: settle open intents of cut-off runs, deliver its primary's backlog."""
    store, now = desk.context.store, desk.context.clock.now()
    if _open(desk, zone):
        store.journal.settle(scope_of(zone), zone.shown, [agent_of(zone)], now)
        store.backlog.deliver(scope_of(zone), zone.shown, [agent_of(zone)], run, now)


def _deferred(desk: ZoneContext, zone: Zone, wish: ZoneSyncOptions, fault: Unreachable) -> ZoneReport:
    """Defer the zone, because its primary is away. The next sync that reaches it plans anew; nothing is replayed."""
    context = desk.context
    plan = ZonePlan(zone, ())
    store, scope = context.store, scope_of(zone)
    if not store.backlog.entries(scope):
        run = _begun(desk, zone, wish, plan)
        store.backlog.add(
            scope, zone.shown, zone.primary.name, [agent_of(zone)], run.id, fault.what, context.clock.now()
        )
        store.journal.end(run.id, Exit.PARTIAL, context.clock.now())
    words = f"its primary {fault.subject} {fault.what}"
    return ZoneReport(plan, stopped=words, todo=fault.todo, exit=Exit.PARTIAL)


def _begun(desk: ZoneContext, zone: Zone, wish: ZoneSyncOptions, plan: ZonePlan) -> Run:
    context = desk.context
    me, now = holder(context, wish.verb), context.clock.now()
    servers = tuple(each.name for each in zone.servers)
    verb = " ".join(filter(None, [wish.verb, flags(NAMES, sorted(wish.forced))]))
    pools = dict.fromkeys(filter(None, (wish.pool, *pools_of(plan.changes, desk.of(zone)))))
    scopes = (scope_of(zone), *map(pool_scope, pools))
    run = Run(new_run_id(now), verb, scopes, servers, plan.id, me.who, me.host, me.pid, now)
    context.store.journal.begin(run)
    context.watch(Progress("begun"))
    return run


# --- writing --------------------------------------------------------------------------------------------------------


class _Writing:
    """One run that changes a zone."""

    def __init__(
        self, desk: ZoneContext, zone: Zone, wish: ZoneSyncOptions, again: Callable[[ZoneContent], ZonePlan | None]
    ) -> None:
        """`again`: plans anew if the zone changed during the run; returns None if a new plan makes no sense."""
        self._desk, self._zone, self._wish, self._again = desk, zone, wish, again
        self._context = desk.context
        self._done: list[Change[RRset]] = []
        self._refused: list[Conflict] = []
        self._held = departed(desk.context.store, zone, desk.context.clock.now())
        self._late = is_late(desk.context.store, zone)
        self._lease: Leasing | None = None
        self._current: set[str] = set()
        """Servers that had all changes."""

    def run(self, content: ZoneContent, plan: ZonePlan) -> ZoneReport:
        run = _begun(self._desk, self._zone, self._wish, plan)
        ended = Exit.ERROR
        try:
            self._intend(run.id, plan.changes)
            # Before the first message, so that the bound is right even if we end before the last answer.
            self._depart(plan.changes, self._zone.within)
            report = self._written(run.id, content, plan)
            ended = report.exit
        except MultiAllError as fault:
            ended = fault.exit_code
            self._note(run.id, self._done, Stage.DONE, "")
            if isinstance(fault, Refused):  # otherwise the progress of the primary is unknown
                self._depart(self._done, self._zone.within)
            raise
        finally:
            self._release()
            self._context.store.journal.end(run.id, ended, self._context.clock.now())
        return report

    def _release(self) -> None:
        """Release the lease, and propagate that to the servers that had the changes.

        If this fails, the lease expires.
        """
        if self._lease is None:
            return
        zone, began = self._zone, self._context.clock.monotonic()
        with suppress(Unreachable, MemberFault):
            self._desk.servers.release(zone, self._lease)
            followers = tuple(each for each in zone.secondaries if each.name in self._current)
            if followers:
                serial = self._desk.servers.serial(zone, zone.primary)
                near = replace(zone, secondaries=followers, mirrors=(), within=min(zone.within, FOLLOW))
                Propagation(self._desk, near, serial, {}, began).followed()

    def _written(self, run: str, content: ZoneContent, plan: ZonePlan) -> ZoneReport:
        """Write until all changes are done or refused, or others write in between too often. Finished changes count."""
        before, tries, foreign = content, 0, list[str]()
        while tries < TRIES:
            made = self._write(run, plan, content)
            self._done += [each for each in plan.changes if each.key in made.done]
            self._refuse(run, plan.changes, made)
            rest = [each for each in plan.changes if each.key not in made.done and each.key not in made.refused]
            if not rest:
                return self._spread(run, before, plan)
            tries += not made.done
            self._context.pause(random.uniform(0.01, 0.1))  # noqa: S311  (so that two writers do not meet again)
            content = self._desk.servers.read(self._zone)
            self._refuse_held(run, rest, content)
            foreign = list(differing(rest, content))
            plan = self._replanned(run, replace(plan, changes=tuple(rest)), content)
            if not plan.changes:
                return self._spread(run, before, plan) if self._done or self._refused else self._left(plan)
        self._note(run, plan.changes, Stage.CONFLICT, _RACE)
        what = f"someone else keeps writing to it: {', '.join(foreign[:3]) or 'its SOA'} changed before we could write"
        raise Refused(f"zone {self._zone.shown}", what, "find the other writer, and run it again")

    def _refuse(self, run: str, changes: Iterable[Change[RRset]], made: UpdateResult) -> None:
        """Record the changes that the primary refuses."""
        for each in changes:
            if each.key in made.refused:
                what, todo = made.refused[each.key]
                self._note(run, [each], Stage.FAILED, what)
                self._refused.append(Conflict(each.key, f"{self._zone.primary.name} {what}", todo))

    def _left(self, plan: ZonePlan) -> ZoneReport:
        remember(self._context.store, self._zone, self._held)
        return _nothing_to_do(self._desk, self._zone, plan, self._wish.pool)

    def _replanned(self, run: str, before: ZonePlan, content: ZoneContent) -> ZonePlan:
        """Return a new plan for the zone as it is now, with approved changes only. Raises Refused."""
        newly = self._again(content)
        if newly is None:
            self._note(run, before.changes, Stage.CONFLICT, _RACE)
            raise Refused(f"zone {self._zone.shown}", _RACE, "look at it, and run it again")
        meant = {each.key for each in before.changes}
        changes = tuple(each for each in newly.changes if each.key in meant)
        left = meant - {each.key for each in changes}
        self._note(run, [each for each in before.changes if each.key in left], Stage.CONFLICT, _RACE)
        plan = replace(newly, changes=changes, id=plan_id(self._zone.name, changes))
        _check(self._desk, plan, self._wish)
        return plan

    def _mark(self, change: Change[RRset], now: float) -> str:
        if change.after is None:
            return ""
        pool, digest = change.after.marker, ownership.digest(change.after.values)
        before = ownership.read(change.before.marker) if change.before else None
        if change.before and change.before.values == change.after.values:
            now = before.epoch if before else 0.0  # the values stay the same, so the next change need not wait
        return OwnershipRecord(self._zone.owner, pool, digest, int(now)).text

    def _refuse_held(self, run: str, left: Sequence[Change[RRset]], content: ZoneContent) -> None:
        try:
            refuse_held(self._desk, self._zone, content)
        except Locked:
            self._note(run, left, Stage.CONFLICT, _RACE)
            raise

    def _taking(self, run: str, content: ZoneContent) -> Leasing | None:
        if self._zone.file:
            return None
        context = self._context
        me, length = holder(context, ""), int(leases.lasts(self._zone))
        ends, here = int(context.clock.now()) + length, store_id(context.store, me.host)
        lease = leases.Lease(self._zone.owner, run, f"{me.who}@{me.host}", here, length, ends)
        return leases.taking(content, self._zone, lease)

    def _write(self, run: str, plan: ZonePlan, content: ZoneContent) -> UpdateResult:
        now = self._context.clock.now()
        try:
            marked = [(each, self._mark(each, now)) for each in plan.changes]
            taking = self._taking(run, content)
            made = self._desk.servers.write(self._zone, marked, content.soa, taking)
            self._lease = taking if made.leased else self._lease
            return made
        except MemberFault as fault:
            self._note(run, plan.changes, Stage.FAILED, f"{fault.subject} {fault.what}")
            raise

    def _spread(self, run: str, before: ZoneContent, plan: ZonePlan) -> ZoneReport:
        """Verify that the primary has the changes, and that they reach all other servers."""
        zone, began = self._zone, self._context.clock.monotonic()
        done = tuple(self._done)
        self._context.watch(Progress("written", zone.primary.name, len(done)))
        serial = self._moved(before.serial, began) if done or not self._refused else before.serial
        if serial is None:
            words = f"{zone.primary.name} said that it was done, and its serial is still {before.serial}"
            self._note(run, done, Stage.FAILED, words)
            self._done.clear()
            raise MemberFault(f"zone {zone.shown}", f"{words}: it changed nothing", "its log says why")
        served = Propagation(self._desk, zone, serial, _expected(done, before), began).everywhere()
        self._note(run, done, Stage.DONE, "")
        until = self._depart(done, max((each.lag or zone.within for each in served), default=0.0))
        lagging = [each for each in served if each.trouble]
        self._current = {each.server for each in served if not each.trouble}
        note_late(self._context.store, zone, late=bool(lagging))
        if not lagging and not self._wish.pool:
            _close_books(self._desk, zone, run)
        code = max(plan.code, Exit.PARTIAL if lagging or self._refused else Exit.OK)
        told = replace(plan, changes=done)
        return ZoneReport(told, run, len(done), tuple(served), until, tuple(self._refused), exit=code)

    def _moved(self, before: int, began: float) -> int | None:
        """Return the primary's new serial, which takes a moment with inline signing; None: it does not change."""
        polls = iter(POLLS)
        while True:
            serial = self._desk.servers.serial(self._zone, self._zone.primary)
            if serials.is_after(serial, before):
                return serial
            if self._context.clock.monotonic() - began > self._zone.within:
                return None
            self._context.pause(next(polls, POLLS[-1]))

    def _depart(self, changes: Sequence[Change[RRset]], lag: float) -> float:
        """Save the records that clients may have cached in addition; return until when, for the removed ones."""
        store, zone, now = self._context.store, self._zone, self._context.clock.now()
        known = resolver_cache.while_served(self._held, now) if self._late else self._held
        held = resolver_cache.held_by_clients(known, changes, now, lag)
        remember(store, zone, held)
        gone = {
            (place_of(each.key), value) for each in changes for value in (each.before.values if each.before else ())
        }
        return resolver_cache.bound([each for each in held if (each.place, each.value) in gone])

    # --- the journal ---

    def _intend(self, run: str, changes: Iterable[Change[RRset]]) -> None:
        self._context.store.journal.intend([self._entry(run, each, Stage.INTENT, "") for each in changes], [])
        self._context.watch(Progress("intended", self._zone.primary.name))

    def _note(self, run: str, changes: Iterable[Change[RRset]], stage: Stage, detail: str) -> None:
        self._context.store.journal.record([self._entry(run, each, stage, detail) for each in changes])
        self._context.watch(Progress("recorded", self._zone.primary.name))

    def _entry(self, run: str, change: Change[RRset], stage: Stage, detail: str) -> Entry:
        before = change.before.brief() if change.before is not None else ""
        after = change.after.brief() if change.after is not None else ""
        server, at = self._zone.primary.name, self._context.clock.now()
        agent, zone, purpose = agent_of(self._zone), self._zone.shown, self._wish.purpose
        return Entry(run, agent, zone, server, change.key, change.action, before, after, stage, detail, at, purpose)


_RACE = "someone else wrote to it at the same time"


def _expected(changes: Iterable[Change[RRset]], content: ZoneContent) -> dict[RRsetKey, RRset | None]:
    """Return the expected answers. A removed name is not asked for if a wildcard answers for it."""
    wanted = {place_of(each.key): each.after if each.after and each.after.values else None for each in changes}
    there = content.rrsets.keys() | {place for place, found in wanted.items() if found}
    return {place: found for place, found in wanted.items() if found or not is_covered(place, there)}
