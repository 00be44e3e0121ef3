"""Propagation of a zone's change to all its servers: notify them, ask them, and wait."""

from dataclasses import replace

from multiall_cli.domain.dataclass import dataclass
from multiall_cli.domain.errors import MemberFault, Unreachable
from multiall_cli.domain.records import (
    RRset,
    RRsetKey,
    ServerZoneStatus,
)
from multiall_cli.domain.topology import Evidence, ProbeLevel
from multiall_cli.domain.zones import NameServer, Zone
from multiall_cli.engine.desk import ZoneContext
from multiall_cli.engine.fanout import fan_out
from multiall_cli.planning.zones import serials

POLLS = (0.002, 0.005, 0.01, 0.02, 0.05)
"""Seconds between two polls of a secondary: the last repeats."""


@dataclass(frozen=True, slots=True)
class Propagation:
    """Propagation of a change to all servers of a zone. `began`: monotonic time at which the primary had it."""

    desk: ZoneContext
    zone: Zone
    serial: int
    expected: dict[RRsetKey, RRset | None]
    began: float

    def everywhere(self) -> list[ServerZoneStatus]:
        """Return the result of each server, the primary first. Servers that lag are evidence for the topology."""
        found = dict(fan_out(self.zone.servers, self._arrived, len(self.zone.servers)))
        served = [each for server in self.zone.servers if isinstance(each := found[server], ServerZoneStatus)]
        late = [each for each in served if each.trouble and each.serial is not None]
        context = self.desk.context
        if late:
            told = [self._evidence(each) for each in late if each.server in self.desk.topology.verdicts]
            context.store.topology.save_round(context.vantage, {}, told, [])
        return served

    def followed(self) -> None:
        """Wait until each server has the serial, or the time limit has passed. Servers that lag are not reported."""
        for _ in fan_out(self.zone.servers, self._arrived, len(self.zone.servers)):
            continue

    def _evidence(self, each: ServerZoneStatus) -> Evidence:
        words = f"its zone {self.zone.shown} {each.trouble}"
        context = self.desk.context
        return Evidence(context.vantage, each.server, ProbeLevel.TCP, context.clock.now(), trouble=words)

    def _arrived(self, server: NameServer) -> ServerZoneStatus:
        clock, polls = self.desk.context.clock, iter(POLLS)
        deaf, todo = ("", "") if server is self.zone.primary else self._told(server)
        while True:
            found = self._looked_at(server)
            late = clock.monotonic() - self.began > self.zone.within
            if not found.trouble or late or self.desk.context.stop():
                break
            self.desk.context.pause(next(polls, POLLS[-1]))
        if found.trouble and deaf and found.serial is not None:  # otherwise the notification is not the cause
            return replace(found, trouble=f"{found.trouble} ({deaf})", todo=todo)
        return found

    def _looked_at(self, server: NameServer) -> ServerZoneStatus:
        serial: int | None = None
        try:
            serial = self.desk.servers.serial(self.zone, server)
            if serials.is_after(self.serial, serial):
                words = f"is behind: serial {serial}, and the primary has {self.serial}"
                return ServerZoneStatus(server.name, serial, None, words, _LOOK)
            trouble, todo = self._amiss(server)
            lag = self.desk.context.clock.monotonic() - self.began
            return ServerZoneStatus(server.name, serial, None if trouble else lag, trouble, todo)
        except (Unreachable, MemberFault) as fault:
            return ServerZoneStatus(server.name, serial, None, fault.what, fault.todo)

    def _told(self, server: NameServer) -> tuple[str, str]:
        """Send the notification ourselves: BIND waits for up to five seconds between two (`notify-delay`)."""
        try:
            self.desk.servers.notify(self.zone, server)
        except (Unreachable, MemberFault) as fault:
            return f"it takes no notify from us: {fault.what}", "`multiall dns doctor` shows its `allow-notify`"
        return "", ""

    def _amiss(self, server: NameServer) -> tuple[str, str]:
        answers = self.desk.servers.answers(self.zone, server, list(self.expected))
        wrong = [place for place, wanted in self.expected.items() if answers.get(place) != wanted]
        if not wrong:
            return "", ""
        name, kind = wrong[0]
        found = answers.get(wrong[0])
        more = f" (and {len(wrong) - 1} more)" if len(wrong) > 1 else ""
        return (
            f"has the serial, and answers {found.brief() if found else 'nothing'} for {name} {kind}{more}",
            "look whether it serves another view, or someone else wrote meanwhile",
        )


_LOOK = "look at its log: perhaps it may not transfer the zone"


def secondary_status(desk: ZoneContext, zone: Zone) -> list[ServerZoneStatus]:
    """Return the serial of each server of a zone and its lag behind the primary, the primary first. Reads only."""

    def serial_of(server: NameServer) -> ServerZoneStatus:
        try:
            return ServerZoneStatus(server.name, desk.servers.serial(zone, server))
        except (Unreachable, MemberFault) as fault:
            return ServerZoneStatus(server.name, None, None, fault.what, fault.todo)

    found = dict(fan_out(zone.servers, serial_of, len(zone.servers)))
    served = [each for server in zone.servers if isinstance(each := found[server], ServerZoneStatus)]
    first = served[0].serial
    return [
        replace(each, trouble=f"its serial is {each.serial}, and its primary has {first}", todo=_LOOK)
        if each.serial is not None and first is not None and each.serial != first
        else each
        for each in served
    ]
