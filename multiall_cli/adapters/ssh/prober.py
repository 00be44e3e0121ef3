"""Takes samples of servers for the topology: knocks, logins, and what a brother's sshd meets."""

from collections.abc import Callable, Sequence, Set
from dataclasses import dataclass
from time import monotonic, time

import paramiko

from multiall_cli.adapters.knock import Door, Knocker
from multiall_cli.adapters.ssh.reach import Doors
from multiall_cli.domain.errors import Unreachable, UsageError
from multiall_cli.domain.inventory import Link, Server
from multiall_cli.domain.topology import Evidence, Rung, failed
from multiall_cli.ports import Observer


class SshProber:
    """Samples as `observer`. `timeout`: seconds that each may take.

    `door`: where a server's sshd listens, None where only a login goes there; `connect`: a login, and what ends it.
    """

    def __init__(
        self,
        observer: str,
        timeout: float,
        knocker: Knocker,
        door: Callable[[Server], tuple[str, int] | None],
        connect: Callable[[Server], tuple[paramiko.Transport, Callable[[], None]]],
        now: Callable[[], float] = time,
    ) -> None:
        self._observer = observer
        self._timeout = timeout
        self._knocker = knocker
        self._door = door
        self._connect = connect
        self._now = now

    def knock(self, servers: Sequence[Server], listen: Set[str]) -> Sequence[Evidence]:
        """Servers behind jump hosts and proxies are left out: only a login tells of them."""
        found, doors = [], []
        for server in servers:
            if server.link is Link.LOCAL:
                found.append(Evidence(self._observer, server.name, Rung.AUTH, self._now(), 0.0))
                continue
            try:
                door = self._door(server)
            except UsageError as fault:
                found.append(Evidence(self._observer, server.name, Rung.NO_ROUTE, self._now(), trouble=fault.what))
                continue
            if door is not None:
                doors.append(Door(server.name, *door))
        return found + self._knocker(doors, listen)

    def login(self, server: Server) -> tuple[Evidence, Observer | None]:
        if server.link is Link.LOCAL:
            return Evidence(self._observer, server.name, Rung.AUTH, self._now(), 0.0), None
        began = monotonic()
        try:
            connection, close = self._connect(server)
        except Unreachable as fault:
            return failed(self._observer, server.name, fault.reason, self._now()), None
        except UsageError as fault:
            return Evidence(self._observer, server.name, Rung.NO_ROUTE, self._now(), trouble=fault.what), None
        took = monotonic() - began
        brother = _Brother(server.name, Doors(connection), self._door, self._timeout, self._now, close)
        return Evidence(self._observer, server.name, Rung.AUTH, self._now(), took), brother


@dataclass(frozen=True, slots=True)
class _Brother:
    """A server with an open connection, through which others are tried."""

    name: str
    doors: Doors
    door: Callable[[Server], tuple[str, int] | None]
    timeout: float
    now: Callable[[], float]
    close: Callable[[], None]

    def reach(self, target: Server) -> Evidence | None:
        try:
            door = self.door(target)
            met = None if door is None else self.doors.try_port(*door, self.timeout)
        except UsageError:
            return None
        except (paramiko.SSHException, OSError, EOFError) as fault:
            raise Unreachable(self.name, f"the connection was cut: {fault}", "run again", "away") from None
        if met is None:
            return None
        rung, took = met
        return Evidence(self.name, target.name, rung, self.now(), took)
