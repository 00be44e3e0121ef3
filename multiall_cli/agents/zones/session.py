"""Session with one zone: reads it, changes it with prerequisites, and waits until all its servers have the change."""

import json
import random
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace

from multiall_cli.agents.zones import leases, resolver_cache
from multiall_cli.agents.zones.item import OwnedRecords, Unchanged, ZoneSnapshot, records_of
from multiall_cli.agents.zones.plan import is_covered
from multiall_cli.agents.zones.propagation import POLLS, Propagation
from multiall_cli.agents.zones.state import ZoneState, last_result
from multiall_cli.domain.change import Change, Outcome, Result, Snapshot
from multiall_cli.domain.dataclass import dataclass
from multiall_cli.domain.errors import Locked, MemberFault, Unreachable
from multiall_cli.domain.plan import Desired
from multiall_cli.domain.records import Leasing, RRset, RRsetKey, ZoneContent, ZonePlan, place_of
from multiall_cli.domain.report import SETTLED, Lag, Settlement
from multiall_cli.domain.zones import Zone
from multiall_cli.planning.zones import ownership, serials
from multiall_cli.planning.zones.ownership import OwnershipRecord
from multiall_cli.ports.agent import Known, Ports
from multiall_cli.ports.dns import NameServers

READ_AGAIN = 600.0  # seconds after which a zone is read even though its serial is unchanged
HELD_AGAIN = 0.5  # seconds between two checks whether another host has ended
FOLLOW = 2.0  # seconds in which servers should learn of a released lease
RACE = "someone else wrote to it at the same time"


@dataclass(frozen=True, slots=True)
class Writer:
    """Name under which this host writes to zones. `by`: person and host; `store`: id of the site's store there."""

    by: str
    store: str


class ZoneSession:
    """Session with one zone."""

    def __init__(
        self, zone: Zone, servers: NameServers, writer: Writer, known: Known, ports: Ports, inputs: str | None
    ) -> None:
        """`inputs`: hash of the inputs of the desired records; None: they are not what pools ask for."""
        self._zone, self._servers, self._writer = zone, servers, writer
        self._known, self._ports, self._inputs = known, ports, inputs
        self._state = ZoneState.read(lambda part: known.state(zone.shown, part), known.now)
        self._first: ZoneContent | None = None
        """The zone before any change."""
        self._snapshot: ZoneSnapshot | None = None
        self._lease: Leasing | None = None
        self._current: frozenset[str] = frozenset()
        """Servers that had all changes."""

    # --- reads ------------------------------------------------------------------------------------------------------

    def observe(self, only: Collection[str] | None = None) -> Snapshot[OwnedRecords]:
        """Return the whole zone, or `Unchanged` for one query."""
        if self._snapshot is None and (unchanged := self._as_last_time()) is not None:
            return unchanged
        return self._read()

    def _read(self) -> ZoneSnapshot:
        content = self._servers.read(self._zone)
        self._first = self._first or content
        self._snapshot = ZoneSnapshot(self._zone, content)
        return self._snapshot

    def _as_last_time(self) -> Unchanged | None:
        """Return that nothing has changed since the last sync without changes. Costs one query.

        Now and then the zone is read all the same: a restored zone may have other records under the same serial.
        """
        known, zone = self._known, self._zone
        if zone.file or known.whole or self._inputs is None or self._state.is_late:
            return None
        last = last_result(self._ports.cache.get(self._cached))
        if last is None or last["inputs"] != self._inputs or not 0 <= known.now - last["at"] < READ_AGAIN:
            return None
        if self._servers.serial(zone, zone.primary) != last["serial"]:
            return None
        return Unchanged(last["serial"], last["ours"])

    @property
    def _cached(self) -> str:
        return f"zone:{self._zone.id}"

    # --- changes ----------------------------------------------------------------------------------------------------

    def apply(self, changes: Sequence[Change[OwnedRecords]], run: str) -> Iterator[Outcome[OwnedRecords]]:
        """Make changes in one attempt. What another writer has changed meanwhile is left alone."""
        content, now = self._free(), self._ports.clock.now()
        records = records_of(changes)
        taking = self._taking(run, content)
        made = self._servers.write(self._zone, [(each, self._mark(each, now)) for each in records], content.soa, taking)
        self._lease = taking if made.leased else self._lease
        for each in changes:
            if each.key in made.done:
                yield Outcome(each, Result.DONE)
            elif each.key in made.refused:
                what, todo = made.refused[each.key]
                yield Outcome(each, Result.FAILED, f"{self._zone.primary.name} {what}", todo)
            else:
                yield Outcome(each, Result.CONFLICT, RACE)
        if len(made.done) + len(made.refused) < len(changes):
            self._ports.pause(random.uniform(0.01, 0.1))  # noqa: S311  (so that two writers do not meet again)

    def _free(self) -> ZoneContent:
        """Return the zone once no other host writes to it, read again after a wait. Raises Locked."""
        assert self._snapshot is not None  # noqa: S101  (nothing is applied to a zone that was not read)
        ports, until = self._ports, self._ports.clock.monotonic() + self._ports.lock_wait
        while held := self._held_by_another(self._snapshot.content):
            if ports.clock.monotonic() >= until or ports.is_cancelled():
                left = held.expires - ports.clock.now()
                what = f"it is held by {held.by} (run {held.run}), for {left:.0f} s at most"
                raise Locked(f"zone {self._zone.shown}", what, "wait for it, or use --lock-wait SECONDS")
            ports.pause(HELD_AGAIN)
            self._read()
        return self._snapshot.content

    def _held_by_another(self, content: ZoneContent) -> leases.Lease | None:
        if self._zone.file:
            return None
        return leases.held_by_another(content, self._zone, self._writer.store, self._ports.clock.now())

    def _taking(self, run: str, content: ZoneContent) -> Leasing | None:
        if self._zone.file:
            return None
        length = int(leases.lasts(self._zone))
        ends = int(self._ports.clock.now()) + length
        lease = leases.Lease(self._zone.owner, run, self._writer.by, self._writer.store, length, ends)
        return leases.taking(content, self._zone, lease)

    def _mark(self, change: Change[RRset], now: float) -> str:
        if change.after is None:
            return ""
        pool, digest = change.after.marker, ownership.digest(change.after.values)
        before = ownership.read(change.before.marker) if change.before else None
        if change.before and change.before.values == change.after.values:
            now = before.epoch if before else 0.0  # the values stay the same, so the next change need not wait
        return OwnershipRecord(self._zone.owner, pool, digest, int(now)).text

    # --- all servers ------------------------------------------------------------------------------------------------

    def settle(self, done: Sequence[Change[OwnedRecords]], desired: Desired[OwnedRecords]) -> Settlement:
        """Verify that the primary has the changes, and that they reach all other servers.

        Without changes, servers that were behind are looked at again; a file is pushed again to primaries that serve an
        older one.
        """
        snapshot, zone, clock = self._snapshot, self._zone, self._ports.clock
        is_behind = not done and snapshot is not None and self._is_behind(snapshot.content)
        if snapshot is None or not (done or is_behind or self._state.is_late):
            self._note_unchanged(desired)
            return SETTLED
        before, began = self._first or snapshot.content, clock.monotonic()
        if is_behind and self._state.is_push_due(clock.now()):
            snapshot.is_pushed_again = True
            self._servers.write(zone, [], snapshot.content.soa)
        has_moved = done or snapshot.is_pushed_again
        serial = self._moved(before.serial, began) if has_moved else snapshot.content.serial
        if serial is None:
            what = f"{zone.primary.name} said that it was done, and its serial is still {before.serial}"
            return Settlement(undone=f"{what}: it changed nothing")
        changes = records_of(done)
        expected = _expected(changes, before)
        lags = Propagation(self._servers, self._ports, zone, serial, expected, began).everywhere()
        self._current = frozenset(each.server for each in lags if not each.trouble)
        return Settlement(lags, until=self._until(changes, lags))

    def _is_behind(self, content: ZoneContent) -> bool:
        """Return whether a primary serves an older zone than its file has: it was away, or did not reload."""
        served = []
        for server in (self._zone.primary, *self._zone.mirrors) if self._zone.file else ():
            with suppress(Unreachable, MemberFault):
                served.append(self._servers.serial(self._zone, server))
        return any(serials.is_after(content.serial, each) for each in served)

    def _moved(self, before: int, began: float) -> int | None:
        """Return the primary's new serial, which takes a moment with inline signing; None: it does not change."""
        polls = iter(POLLS)
        while True:
            serial = self._servers.serial(self._zone, self._zone.primary)
            if serials.is_after(serial, before):
                return serial
            if self._ports.clock.monotonic() - began > self._zone.within:
                return None
            self._ports.pause(next(polls, POLLS[-1]))

    def _until(self, changes: Sequence[Change[RRset]], lags: Sequence[Lag]) -> float:
        """Return until when clients may use the records that were removed."""
        now, lag = self._ports.clock.now(), max((each.seconds or self._zone.within for each in lags), default=0.0)
        held = resolver_cache.held_by_clients(self._state.held(now), changes, now, lag)
        removed = {
            (place_of(each.key), value) for each in changes for value in (each.before.values if each.before else ())
        }
        return resolver_cache.bound([each for each in held if (each.place, each.value) in removed])

    def _note_unchanged(self, desired: Desired[OwnedRecords]) -> None:
        """Cache that nothing is to be done, so that the next sync costs one query."""
        plan = desired.detail
        if self._snapshot is None or self._inputs is None or not desired.is_whole or not isinstance(plan, ZonePlan):
            return
        if not (plan.changes or plan.conflicts or plan.notes):
            at = self._ports.clock.now()
            found = {"serial": plan.serial, "ours": plan.ours, "inputs": self._inputs, "at": at}
            self._ports.cache.put(self._cached, json.dumps(found).encode())

    def close(self) -> None:
        """Release the lease, and tell the servers that had the changes. If that fails, the lease expires."""
        lease, self._lease = self._lease, None
        if lease is None:
            return
        zone, began = self._zone, self._ports.clock.monotonic()
        with suppress(Unreachable, MemberFault):
            self._servers.release(zone, lease)
            followers = tuple(each for each in zone.secondaries if each.name in self._current)
            if followers:
                serial = self._servers.serial(zone, zone.primary)
                near = replace(zone, secondaries=followers, mirrors=(), within=min(zone.within, FOLLOW))
                Propagation(self._servers, self._ports, near, serial, {}, began).everywhere()


def _expected(changes: Iterable[Change[RRset]], content: ZoneContent) -> dict[RRsetKey, RRset | None]:
    """Return the expected answers. A removed name is not asked for if a wildcard answers for it."""
    wanted = {place_of(each.key): each.after if each.after and each.after.values else None for each in changes}
    there = content.rrsets.keys() | {place for place, found in wanted.items() if found}
    return {place: found for place, found in wanted.items() if found or not is_covered(place, there)}
