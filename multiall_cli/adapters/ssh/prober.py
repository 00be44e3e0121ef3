"""Takes samples of servers for the topology: TCP probes, logins, keepalives, and probes by peers."""

from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import replace
from time import monotonic, time
from typing import TYPE_CHECKING

from multiall_cli.adapters.probes.icmp import IcmpProbe
from multiall_cli.adapters.probes.tcp import Endpoint, TcpProbe
from multiall_cli.adapters.ssh.connection_pool import ConnectionPool
from multiall_cli.domain.errors import Unreachable, UsageError
from multiall_cli.domain.inventory import Link, Server
from multiall_cli.domain.topology import Evidence, Rung, failed
from multiall_cli.ports.probes import Observer
from multiall_cli.ports.session import Session

if TYPE_CHECKING:
    from multiall_cli.adapters.ssh.peer import Peer


class SshProber:
    """Samples as `observer`. `timeout`: seconds that each may take.

    `door`: where a server's sshd listens, None if only a login gets there; `connect`: a login. `keep`: how many
    connections stay open between rounds; their servers get a keepalive instead of a TCP probe.

    This module does not import paramiko: most rounds need no login, and the import would take half of their time.
    """

    def __init__(
        self,
        observer: str,
        timeout: float,
        *,
        knocker: TcpProbe,
        pinger: IcmpProbe,
        door: Callable[[Server], tuple[str, int] | None],
        connect: "Callable[[Server], Peer]",
        keep: int = 0,
        now: Callable[[], float] = time,
    ) -> None:
        self._observer = observer
        self._timeout = timeout
        self._knocker = knocker
        self._pinger = pinger
        self._door = door
        self._connect = connect
        self._now = now
        self._kept = ConnectionPool(keep)

    # --- all servers, cheaply ---------------------------------------------------------------------------------------

    def knock(self, servers: Sequence[Server], listen: Set[str]) -> Sequence[Evidence]:
        """Probe all servers; those behind jump hosts and proxies are left out, because only a login reaches them.

        Servers whose pooled connection does not answer are probed too, and so are those in `listen`.
        """
        asked = self._now()
        alive, lost = self._kept.alive([server.name for server in servers], self._timeout)
        found = [Evidence(self._observer, name, Rung.AUTH, self._now(), took) for name, took in alive.items()]
        well = alive.keys() - listen
        doors: dict[str, Endpoint] = {}
        for server in servers:
            if server.name in well:
                continue
            if server.link is Link.LOCAL:
                found.append(Evidence(self._observer, server.name, Rung.AUTH, self._now(), 0.0))
                continue
            try:
                door = self._door(server)
            except UsageError as fault:
                found.append(self._no_route(server, fault))
                continue
            if door is not None:
                doors[server.name] = Endpoint(server.name, *door)
        knocked = self._knocker(doors.values(), listen)
        # A server that is silent on both connections became silent when the keepalive was sent.
        since = [
            replace(each, at=asked) if each.target in lost and each.rung is Rung.TIMEOUT else each for each in knocked
        ]
        return found + [self._with_life(each, alive.keys()) for each in self._corroborated(since, doors, listen)]

    def _with_life(self, knocked: Evidence, alive: Set[str]) -> Evidence:
        """A server that answers over an open connection is alive, even if new connections fail."""
        if knocked.target not in alive or knocked.rung.shows_life:
            return knocked
        return replace(
            knocked, rung=Rung.TCP, at=self._now(), trouble="it accepts no new connection; its open one answers"
        )

    def _corroborated(
        self, knocked: Sequence[Evidence], doors: Mapping[str, Endpoint], listen: Set[str]
    ) -> list[Evidence]:
        """Ping silent servers in `listen`, if this kernel allows it: those that answer are alive."""
        silent = [each.target for each in knocked if each.rung is Rung.TIMEOUT and each.target in listen]
        answered = self._pinger({name: doors[name].address for name in silent})
        return [
            replace(each, rung=Rung.ICMP, rtt=answered[each.target], at=self._now())
            if each.target in answered
            else each
            for each in knocked
        ]

    # --- one server, closely ----------------------------------------------------------------------------------------

    def login(self, server: Server) -> tuple[Sequence[Evidence], Observer | None]:
        if server.link is Link.LOCAL:
            return [Evidence(self._observer, server.name, Rung.AUTH, self._now(), 0.0)], None
        began = monotonic()
        try:
            brother = self._connect(server)
        except Unreachable as fault:
            return failed(self._observer, server.name, fault.reason, self._now()), None
        except UsageError as fault:
            return [self._no_route(server, fault)], None
        took = monotonic() - began
        self._kept.keep(brother)
        return [Evidence(self._observer, server.name, Rung.AUTH, self._now(), took)], brother

    def kept(self, server: Server) -> Observer | None:
        return self._kept.get(server.name)

    def session(self, server: Server) -> Session | None:
        """Open a session over its pooled connection, which outlives the session; None if there is no connection."""
        kept = self._kept.get(server.name)
        return None if kept is None else kept.opened.session(server)

    def would_keep(self, servers: Sequence[Server]) -> Set[str]:
        """Return the servers, in this order, whose connection would be pooled; not those with a short one recently."""
        return self._kept.would_keep([server.name for server in servers])

    def hinted(self) -> bool:
        """Return whether a pooled connection has ended since the last probe."""
        return self._kept.hinted()

    def close(self) -> None:
        self._kept.close()

    def _no_route(self, server: Server, fault: UsageError) -> Evidence:
        return Evidence(self._observer, server.name, Rung.NO_ROUTE, self._now(), trouble=fault.what)
