"""Downtimes of rollouts: the members of a batch are drained during their change."""

from collections.abc import Sequence
from contextlib import suppress

from multiall_cli.agents.zones.resolver_cache import bound
from multiall_cli.domain.dataclass import dataclass
from multiall_cli.domain.errors import Locked
from multiall_cli.domain.topology import Downtime, DowntimeKind
from multiall_cli.engine.context import Context
from multiall_cli.fleet.topology import current_topology, scan
from multiall_cli.fleet.zone_queries import departures


@dataclass(frozen=True, slots=True)
class RolloutDowntimes:
    """Drains of one pool's rollout."""

    context: Context
    pool: str

    def set(self, batch: Sequence[str], lasts: float) -> None:
        """Drain members for `lasts` seconds from now. Those that an operator has drained stay as they are."""
        from multiall_cli.engine.operator import who

        now, topology = self.context.clock.now(), current_topology(self.context)
        for name in batch:
            planned = topology.planned_of(name)
            if planned is None or planned.because == self._because:
                drain = Downtime(name, DowntimeKind.DRAIN, 0.0, now + lasts, who(), self._because, said=now)
                self.context.store.downtimes.set(drain)

    def end(self, batch: Sequence[str]) -> None:
        """End the drains of `set`, and scan: a returning member needs recent evidence."""
        now = self.context.clock.now()
        for each in self.context.store.downtimes.all(now):
            if each.server in batch and each.because == self._because:
                self.context.store.downtimes.end(each.server, now)
        with suppress(Locked):  # a scan elsewhere finds the same
            scan(self.context, links=False, logins=True)

    def clients_until(self, batch: Sequence[str]) -> float:
        """Return when the last client forgets the members' records, in seconds since the epoch; 0: none has any."""
        return bound(departures(self.context, ", ".join(batch)))

    @property
    def _because(self) -> str:
        return f"rollout of {self.pool}"
