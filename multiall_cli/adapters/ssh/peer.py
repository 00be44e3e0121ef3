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
from multiall_cli.domain.topology import FORWARDS_NOTHING, Evidence, Rung
from multiall_cli.ports.session import Session

LONGEST = 3600.0  # most seconds that a peer may report for a connection
ANSWER = 10.0  # seconds beyond the probe's own for a peer's loop to start and to answer
_BY_WORD = {rung.word: rung for rung in Rung}
EndpointOf = Callable[[Server], tuple[str, int] | None]
"""Returns where a server's sshd listens, None if only a login gets there."""


@dataclass(frozen=True, slots=True)
class SshConnection:
    """An open connection: its transport, a session over it, and functions to close and to watch it."""

    connection: paramiko.Transport
    session: Callable[[Server], Session]
    close: Callable[[], None]
    ended: Callable[[Callable[[], None]], None]
    """Sets the function to call when the connection ends."""


@dataclass(slots=True)
class Peer:
    """A server with an open connection that probes others. `stays`: `close` leaves the connection open."""

    server: Server
    opened: SshConnection
    door: EndpointOf
    timeout: float
    now: Callable[[], float] = time
    stays: bool = False
    began: float = field(default_factory=monotonic)
    doors: ForwardProbe = field(init=False)
    pulse: Keepalive = field(init=False)

    def __post_init__(self) -> None:
        # During a new key exchange, paramiko blocks senders until it ends.
        self.opened.connection.clear_to_send_timeout = self.timeout
        self.pulse = Keepalive(self.opened.connection)
        self.doors = ForwardProbe(self.opened.connection, self.pulse)

    def reach(self, targets: Sequence[Server]) -> Sequence[Evidence] | None:
        """Probe through its sshd; if that is forbidden, through its python3; None if neither works."""
        doors = self._doors_of(targets)
        try:
            met = dict(zip(doors, self.doors.try_ports(list(doors.values()), self.timeout), strict=True))
        except (paramiko.SSHException, OSError, EOFError) as fault:
            raise Unreachable(self.server.name, f"the connection was cut: {fault}", "run again", "away") from None
        found = [self._told(name, each.rung, each.took) for name, each in met.items() if each.rung is not None]
        closed = {name: doors[name] for name, each in met.items() if not each.allowed}
        if closed:
            asked = self._by_its_loop(closed)
            if asked is None and not found:
                return None
            found += asked or []
        return found

    def _doors_of(self, targets: Sequence[Server]) -> dict[str, tuple[str, int]]:
        doors = {}
        for target in targets:
            try:
                door = self.door(target)
            except UsageError:
                continue
            if door is not None:
                doors[target.name] = door
        return doors

    def _by_its_loop(self, doors: Mapping[str, tuple[str, int]]) -> list[Evidence] | None:
        """Probe with connections from its python3, with the privileges of the login; None if that is impossible."""
        wanted = [[name, *door] for name, door in doors.items()]
        limit = self.timeout + ANSWER
        with closing(self.opened.session(replace(self.server, become=Become()))) as session:
            try:
                told = session.call(
                    "probe_tcp", timeout=limit, ends=limit, endpoints=wanted, within=self.timeout
                ).value()
            except MemberFault:
                return None
        return [
            replace(self._told(name, _BY_WORD[word], float(took)), trouble=FORWARDS_NOTHING)
            for name, word, took in _triples(told.get("results"))
            if name in doors and word in _BY_WORD
        ]

    def _told(self, name: str, rung: Rung, took: float) -> Evidence:
        return Evidence(self.server.name, name, rung, self.now(), took)

    def close(self) -> None:
        if not self.stays:
            self.opened.close()


def _triples(told: object) -> list[tuple[str, str, float]]:
    """Return the valid entries of a peer's answer; all other data is dropped."""
    return [
        (each[0], each[1], each[2])
        for each in (told if isinstance(told, list) else ())
        if isinstance(each, list)
        and len(each) == 3
        and isinstance(each[0], str)
        and isinstance(each[1], str)
        and isinstance(each[2], int | float)
        and not isinstance(each[2], bool)
        and 0 <= each[2] <= LONGEST
    ]
