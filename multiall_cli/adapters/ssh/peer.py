"""A peer with an open connection: answers keepalives, and probes other servers."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import field, replace
from time import monotonic, time

import paramiko

from multiall_cli.adapters.ssh.forward_probe import ForwardProbe
from multiall_cli.adapters.ssh.keepalive import Keepalive
from multiall_cli.domain.dataclass import dataclass
from multiall_cli.domain.errors import MemberFault, Unreachable, UsageError
from multiall_cli.domain.inventory import Become, Server
from multiall_cli.domain.topology import FORWARDS_NOTHING, Evidence, ProbeLevel
from multiall_cli.ports.session import Session

LONGEST = 3600.0  # most seconds that a peer may report for a connection
ANSWER = 10.0  # seconds beyond the probe's own for a peer's loop to start and to answer
_BY_WORD = {rung.word: rung for rung in ProbeLevel}
EndpointOf = Callable[[Server], tuple[str, int] | None]
"""Returns where a server's sshd listens, None if only a login gets there."""


@dataclass(frozen=True, slots=True)
class SshConnection:
    """An open connection: its transport, a session over it, and functions to close and to watch it."""

    transport: paramiko.Transport
    session: Callable[[Server], Session]
    close: Callable[[], None]
    on_end: Callable[[Callable[[], None]], None]
    """Sets the function to call when the connection ends."""


@dataclass(slots=True)
class Peer:
    """A server with an open connection that probes others. `is_pooled`: `close` leaves the connection open."""

    server: Server
    connection: SshConnection
    endpoint_of: EndpointOf
    timeout: float
    now: Callable[[], float] = time
    is_pooled: bool = False
    began: float = field(default_factory=monotonic)
    forwards: ForwardProbe = field(init=False)
    keepalive: Keepalive = field(init=False)

    def __post_init__(self) -> None:
        # During a new key exchange, paramiko blocks senders until it ends.
        self.connection.transport.clear_to_send_timeout = self.timeout
        self.keepalive = Keepalive(self.connection.transport)
        self.forwards = ForwardProbe(self.connection.transport, self.keepalive)

    def reach(self, targets: Sequence[Server]) -> Sequence[Evidence] | None:
        """Probe through its sshd; if that is forbidden, through its python3; None if neither works."""
        endpoints = self._endpoints_of(targets)
        try:
            results = dict(zip(endpoints, self.forwards.try_ports(list(endpoints.values()), self.timeout), strict=True))
        except (paramiko.SSHException, OSError, EOFError) as fault:
            raise Unreachable(self.server.name, f"the connection was cut: {fault}", "run again", "away") from None
        found = [self._evidence(name, each.rung, each.took) for name, each in results.items() if each.rung is not None]
        closed = {name: endpoints[name] for name, each in results.items() if not each.allowed}
        if closed:
            by_loop = self._probe_by_loop(closed)
            if by_loop is None and not found:
                return None
            found += by_loop or []
        return found

    def _endpoints_of(self, targets: Sequence[Server]) -> dict[str, tuple[str, int]]:
        endpoints = {}
        for target in targets:
            try:
                endpoint = self.endpoint_of(target)
            except UsageError:
                continue
            if endpoint is not None:
                endpoints[target.name] = endpoint
        return endpoints

    def _probe_by_loop(self, endpoints: Mapping[str, tuple[str, int]]) -> list[Evidence] | None:
        """Probe with connections from its python3, with the privileges of the login; None if that is impossible."""
        wanted = [[name, *endpoint] for name, endpoint in endpoints.items()]
        limit = self.timeout + ANSWER
        with closing(self.connection.session(replace(self.server, become=Become()))) as session:
            try:
                answer = session.call(
                    "probe_tcp", timeout=limit, ends=limit, endpoints=wanted, within=self.timeout
                ).value()
            except MemberFault:
                return None
        return [
            replace(self._evidence(name, _BY_WORD[word], float(took)), trouble=FORWARDS_NOTHING)
            for name, word, took in valid_triples(answer.get("results"))
            if name in endpoints and word in _BY_WORD
        ]

    def _evidence(self, name: str, rung: ProbeLevel, took: float) -> Evidence:
        return Evidence(self.server.name, name, rung, self.now(), took)

    def close(self) -> None:
        if not self.is_pooled:
            self.connection.close()


def valid_triples(answer: object) -> list[tuple[str, str, float]]:
    """Return the valid entries of a peer's answer; all other data is dropped."""
    return [
        (each[0], each[1], each[2])
        for each in (answer if isinstance(answer, list) else ())
        if isinstance(each, list)
        and len(each) == 3
        and isinstance(each[0], str)
        and isinstance(each[1], str)
        and isinstance(each[2], int | float)
        and not isinstance(each[2], bool)
        and 0 <= each[2] <= LONGEST
    ]
