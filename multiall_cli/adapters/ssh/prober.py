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
from multiall_cli.domain.topology import Evidence, ProbeLevel, failed
from multiall_cli.ports.probes import Observer
from multiall_cli.ports.session import Session

if TYPE_CHECKING:
    from multiall_cli.adapters.ssh.peer import Peer


class SshProber:
    """Samples as `observer`. `timeout`: seconds that each may take.

    `endpoint_of`: where a server's sshd listens, None if only a login gets there; `connect`: a login. `keep`: how many
    connections stay open between rounds; their servers get a keepalive instead of a TCP probe.

    This module does not import paramiko: most rounds need no login, and the import would take half of their time.
    """

    def __init__(
        self,
        observer: str,
        timeout: float,
        *,
        tcp: TcpProbe,
        icmp: IcmpProbe,
        endpoint_of: Callable[[Server], tuple[str, int] | None],
        connect: "Callable[[Server], Peer]",
        keep: int = 0,
        now: Callable[[], float] = time,
    ) -> None:
        self._observer = observer
        self._timeout = timeout
        self._tcp = tcp
        self._icmp = icmp
        self._endpoint_of = endpoint_of
        self._connect = connect
        self._now = now
        self._pool = ConnectionPool(keep)

    # --- all servers, cheaply ---------------------------------------------------------------------------------------

    def probe(self, servers: Sequence[Server], listen: Set[str]) -> Sequence[Evidence]:
        """Probe all servers; those behind jump hosts and proxies are left out, because only a login reaches them.

        Servers whose pooled connection does not answer are probed too, and so are those in `listen`.
        """
        asked = self._now()
        alive, lost = self._pool.alive([server.name for server in servers], self._timeout)
        found = [Evidence(self._observer, name, ProbeLevel.AUTH, self._now(), took) for name, took in alive.items()]
        well = alive.keys() - listen
        endpoints: dict[str, Endpoint] = {}
        for server in servers:
            if server.name in well:
                continue
            if server.link is Link.LOCAL:
                found.append(Evidence(self._observer, server.name, ProbeLevel.AUTH, self._now(), 0.0))
                continue
            try:
                endpoint = self._endpoint_of(server)
            except UsageError as fault:
                found.append(self._no_route(server, fault))
                continue
            if endpoint is not None:
                endpoints[server.name] = Endpoint(server.name, *endpoint)
        probed = self._tcp(endpoints.values(), listen)
        # A server that is silent on both connections became silent when the keepalive was sent.
        since = [
            replace(each, at=asked) if each.target in lost and each.rung is ProbeLevel.TIMEOUT else each
            for each in probed
        ]
        return found + [self._with_life(each, alive.keys()) for each in self._ping_silent(since, endpoints, listen)]

    def _with_life(self, probed: Evidence, alive: Set[str]) -> Evidence:
        """A server that answers over an open connection is alive, even if new connections fail."""
        if probed.target not in alive or probed.rung.shows_life:
            return probed
        return replace(
            probed, rung=ProbeLevel.TCP, at=self._now(), trouble="it accepts no new connection; its open one answers"
        )

    def _ping_silent(
        self, probed: Sequence[Evidence], endpoints: Mapping[str, Endpoint], listen: Set[str]
    ) -> list[Evidence]:
        """Ping silent servers in `listen`, if this kernel allows it: those that answer are alive."""
        silent = [each.target for each in probed if each.rung is ProbeLevel.TIMEOUT and each.target in listen]
        answered = self._icmp({name: endpoints[name].address for name in silent})
        return [
            replace(each, rung=ProbeLevel.ICMP, rtt=answered[each.target], at=self._now())
            if each.target in answered
            else each
            for each in probed
        ]

    # --- one server, closely ----------------------------------------------------------------------------------------

    def login(self, server: Server) -> tuple[Sequence[Evidence], Observer | None]:
        if server.link is Link.LOCAL:
            return [Evidence(self._observer, server.name, ProbeLevel.AUTH, self._now(), 0.0)], None
        began = monotonic()
        try:
            peer = self._connect(server)
        except Unreachable as fault:
            return failed(self._observer, server.name, fault.reason, self._now()), None
        except UsageError as fault:
            return [self._no_route(server, fault)], None
        took = monotonic() - began
        self._pool.add(peer)
        return [Evidence(self._observer, server.name, ProbeLevel.AUTH, self._now(), took)], peer

    def open_peer(self, server: Server) -> Observer | None:
        return self._pool.get(server.name)

    def session(self, server: Server) -> Session | None:
        """Open a session over its pooled connection, which outlives the session; None if there is no connection."""
        peer = self._pool.get(server.name)
        return None if peer is None else peer.connection.session(server)

    def would_pool(self, servers: Sequence[Server]) -> Set[str]:
        """Return the servers, in this order, whose connection would be pooled; not those with a short one recently."""
        return self._pool.would_pool([server.name for server in servers])

    def has_lost_connection(self) -> bool:
        """Return whether a pooled connection has ended since the last probe."""
        return self._pool.has_lost()

    def close(self) -> None:
        self._pool.close()

    def _no_route(self, server: Server, fault: UsageError) -> Evidence:
        return Evidence(self._observer, server.name, ProbeLevel.NO_ROUTE, self._now(), trouble=fault.what)
