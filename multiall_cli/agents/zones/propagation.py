"""Propagation of a zone's change to all its servers: notify them, ask them, and wait."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from multiall_cli.domain.dataclass import dataclass
from multiall_cli.domain.errors import MemberFault, Unreachable
from multiall_cli.domain.records import (
    RRset,
    RRsetKey,
)
from multiall_cli.domain.report import Lag
from multiall_cli.domain.zones import NameServer, Zone
from multiall_cli.planning.zones import serials
from multiall_cli.ports.agent import Ports
from multiall_cli.ports.dns import NameServers

POLLS = (0.002, 0.005, 0.01, 0.02, 0.05)
"""Seconds between two polls of a secondary: the last repeats."""


@dataclass(frozen=True, slots=True)
class Propagation:
    """Propagation of a change to all servers of a zone. `began`: monotonic time at which the primary had it."""

    servers: NameServers
    ports: Ports
    zone: Zone
    serial: int
    expected: Mapping[RRsetKey, RRset | None]
    began: float

    def everywhere(self) -> tuple[Lag, ...]:
        """Return the result of each server, the primary first, once it has the change or the time limit has passed."""
        found = self.ports.fan_out(self.zone.servers, self._arrived)
        return tuple(each for server in self.zone.servers if isinstance(each := found[server], Lag))

    def _arrived(self, server: NameServer) -> Lag:
        clock, polls = self.ports.clock, iter(POLLS)
        deaf, todo = ("", "") if server is self.zone.primary else self._notify(server)
        while True:
            found = self._status(server)
            late = clock.monotonic() - self.began > self.zone.within
            if not found.trouble or late or self.ports.is_cancelled():
                break
            self.ports.pause(next(polls, POLLS[-1]))
        if found.trouble and deaf and found.position is not None:  # otherwise the notification is not the cause
            return replace(found, trouble=f"{found.trouble} ({deaf})", todo=todo)
        return found

    def _status(self, server: NameServer) -> Lag:
        serial: int | None = None
        try:
            serial = self.servers.serial(self.zone, server)
            if serials.is_after(self.serial, serial):
                words = f"is behind: serial {serial}, and the primary has {self.serial}"
                return Lag(server.name, serial, None, words, _LOOK)
            trouble, todo = self._wrong_answer(server)
            lag = self.ports.clock.monotonic() - self.began
            return Lag(server.name, serial, None if trouble else lag, trouble, todo)
        except (Unreachable, MemberFault) as fault:
            return Lag(server.name, serial, None, fault.what, fault.todo)

    def _notify(self, server: NameServer) -> tuple[str, str]:
        """Send the notification ourselves: BIND waits for up to five seconds between two (`notify-delay`)."""
        try:
            self.servers.notify(self.zone, server)
        except (Unreachable, MemberFault) as fault:
            return f"it takes no notify from us: {fault.what}", "`multiall dns doctor` shows its `allow-notify`"
        return "", ""

    def _wrong_answer(self, server: NameServer) -> tuple[str, str]:
        answers = self.servers.answers(self.zone, server, list(self.expected))
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


def status_of(
    servers: NameServers, zone: Zone, fan_out: Callable[[Sequence[NameServer], Callable[[NameServer], Lag]], object]
) -> tuple[Lag, ...]:
    """Return the serial of each server of a zone and its lag behind the primary, the primary first. Reads only."""
    found: dict[NameServer, Lag] = {}

    def look(server: NameServer) -> Lag:
        try:
            found[server] = Lag(server.name, servers.serial(zone, server))
        except (Unreachable, MemberFault) as fault:
            found[server] = Lag(server.name, None, None, fault.what, fault.todo)
        return found[server]

    fan_out(zone.servers, look)
    first = found[zone.primary].position
    return tuple(
        replace(each, trouble=f"its serial is {each.position}, and its primary has {first}", todo=_LOOK)
        if each.position is not None and first is not None and each.position != first
        else each
        for each in (found[server] for server in zone.servers)
    )
