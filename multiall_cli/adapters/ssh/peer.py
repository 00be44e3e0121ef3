"""A server with an open connection: it is asked for a sign of life, and whom else it reaches."""

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

LONGEST = 3600.0  # seconds that a connection may be said to have taken
ANSWER = 10.0  # seconds beyond a probe's own that a brother's loop may take to start and to answer
_BY_WORD = {rung.word: rung for rung in Rung}
EndpointOf = Callable[[Server], tuple[str, int] | None]
"""Where a server's sshd listens, None where only a login goes there."""


@dataclass(frozen=True, slots=True)
class SshConnection:
    """What a login opened: the connection, a session over it as any user of it has one, and what ends both."""

    connection: paramiko.Transport
    session: Callable[[Server], Session]
    close: Callable[[], None]
    ended: Callable[[Callable[[], None]], None]
    """Is given what is to be called when the connection ends."""


@dataclass(slots=True)
class Peer:
    """A server with an open connection, through which others are tried. `stays`: `close` leaves it open."""

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
        # A connection that is in the middle of a new key exchange makes who sends wait for its end.
        self.opened.connection.clear_to_send_timeout = self.timeout
        self.pulse = Keepalive(self.opened.connection)
        self.doors = ForwardProbe(self.opened.connection, self.pulse)

    def reach(self, targets: Sequence[Server]) -> Sequence[Evidence] | None:
        """Its sshd is asked; where that is not allowed, its python3; None where neither can be."""
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
        """Connections that a python3 of its own opens, with the rights of the login; None where it cannot."""
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
    """What a member said of whom it met: that and nothing else."""
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
