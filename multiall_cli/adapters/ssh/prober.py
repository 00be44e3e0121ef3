"""Takes samples of servers for the topology: knocks, logins, signs of life, and what a brother meets."""

import threading
from collections.abc import Callable, Mapping, Sequence, Set
from contextlib import closing
from dataclasses import dataclass, field, replace
from time import monotonic, time

import paramiko

from multiall_cli.adapters.knock import Door, Knocker
from multiall_cli.adapters.ping import Pinger
from multiall_cli.adapters.ssh.pulse import Pulse, beating
from multiall_cli.adapters.ssh.reach import Doors
from multiall_cli.domain.errors import MemberFault, Unreachable, UsageError
from multiall_cli.domain.inventory import Become, Link, Server
from multiall_cli.domain.topology import FORWARDS_NOTHING, Evidence, Rung, failed
from multiall_cli.ports import Observer, Session

SHORT = 60.0  # seconds that a connection must have lasted for another one to be kept at once
AVOIDED = 600.0  # seconds in which a server whose connection did not last is logged in to as if none were kept
LONGEST = 3600.0  # seconds that a connection may be said to have taken
ANSWER = 10.0  # seconds beyond a probe's own that a brother's loop may take to start and to answer
_BY_WORD = {rung.word: rung for rung in Rung}


@dataclass(frozen=True, slots=True)
class Opened:
    """What a login opened: the connection, a session over it as any user of it has one, and what ends both."""

    connection: paramiko.Transport
    session: Callable[[Server], Session]
    close: Callable[[], None]
    ended: Callable[[Callable[[], None]], None]
    """Is given what is to be called when the connection ends."""


class SshProber:
    """Samples as `observer`. `timeout`: seconds that each may take.

    `door`: where a server's sshd listens, None where only a login goes there; `connect`: a login. `keep`: how many
    connections stay open between rounds; a server that has one is asked for a sign of life instead of knocked at.
    """

    def __init__(
        self,
        observer: str,
        timeout: float,
        *,
        knocker: Knocker,
        pinger: Pinger,
        door: Callable[[Server], tuple[str, int] | None],
        connect: Callable[[Server], Opened],
        keep: int = 0,
        now: Callable[[], float] = time,
    ) -> None:
        self._observer = observer
        self._timeout = timeout
        self._knocker = knocker
        self._pinger = pinger
        self._door = door
        self._connect = connect
        self._keep = keep
        self._now = now
        self._kept: dict[str, _Brother] = {}
        self._short_lived: dict[str, float] = {}
        self._lock = threading.Lock()
        self._hint = threading.Event()

    # --- everyone, cheaply --------------------------------------------------------------------------------------

    def knock(self, servers: Sequence[Server], listen: Set[str]) -> Sequence[Evidence]:
        """Servers behind jump hosts and proxies are left out: only a login tells of them.

        Whose kept connection does not answer is knocked at too, and so is who is to be listened to.
        """
        self._hint.clear()
        asked = self._now()
        found, lost = self._alive(servers)
        alive = {each.target for each in found}
        well = alive - listen
        doors: dict[str, Door] = {}
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
                doors[server.name] = Door(server.name, *door)
        knocked = self._knocker(doors.values(), listen)
        # The silence of who does not answer over a connection either began when that was asked.
        since = [
            replace(each, at=asked) if each.target in lost and each.rung is Rung.TIMEOUT else each for each in knocked
        ]
        return found + [self._with_life(each, alive) for each in self._corroborated(since, doors, listen)]

    def _with_life(self, knocked: Evidence, alive: Set[str]) -> Evidence:
        """Who answers over an open connection has power, whatever becomes of a new one."""
        if knocked.target not in alive or knocked.rung.shows_life:
            return knocked
        return replace(
            knocked, rung=Rung.TCP, at=self._now(), trouble="it takes no new connection; its open one answers"
        )

    def _alive(self, servers: Sequence[Server]) -> tuple[list[Evidence], set[str]]:
        """Those whose kept connections answer; the others' are given up, and named."""
        kept = {server.name: self._kept[server.name] for server in servers if server.name in self._kept}
        found, lost = [], set()
        for name, took in zip(kept, beating([each.pulse for each in kept.values()], self._timeout), strict=True):
            kept[name].doors.close_late()
            if took is None:
                self._give_up(name)
                self._note_end(name, kept[name].began)
                lost.add(name)
            else:
                found.append(Evidence(self._observer, name, Rung.AUTH, self._now(), took))
        return found, lost

    def _corroborated(self, knocked: Sequence[Evidence], doors: Mapping[str, Door], listen: Set[str]) -> list[Evidence]:
        """Silent ones that are looked at closely are pinged, where this kernel lets us: who answers has power."""
        silent = [each.target for each in knocked if each.rung is Rung.TIMEOUT and each.target in listen]
        answered = self._pinger({name: doors[name].address for name in silent})
        return [
            replace(each, rung=Rung.ICMP, rtt=answered[each.target], at=self._now())
            if each.target in answered
            else each
            for each in knocked
        ]

    # --- one, closely -------------------------------------------------------------------------------------------

    def login(self, server: Server) -> tuple[Sequence[Evidence], Observer | None]:
        if server.link is Link.LOCAL:
            return [Evidence(self._observer, server.name, Rung.AUTH, self._now(), 0.0)], None
        began = monotonic()
        try:
            opened = self._connect(server)
        except Unreachable as fault:
            return failed(self._observer, server.name, fault.reason, self._now()), None
        except UsageError as fault:
            return [self._no_route(server, fault)], None
        took = monotonic() - began
        brother = _Brother(server, opened, self._door, self._timeout, self._now)
        self._keep_open(brother)
        return [Evidence(self._observer, server.name, Rung.AUTH, self._now(), took)], brother

    def kept(self, server: Server) -> Observer | None:
        return self._kept.get(server.name)

    def session(self, server: Server) -> Session | None:
        """A session over its kept connection, which stays when the session ends; None where there is none."""
        kept = self._kept.get(server.name)
        return None if kept is None else kept.opened.session(server)

    def would_keep(self, servers: Sequence[Server]) -> Set[str]:
        """Those of them, in this order, whose logins would stay open: not whose last one ended soon by itself."""
        room, now = self._keep - len(self._kept), monotonic()
        wanted = [each.name for each in servers if each.name not in self._kept and self._not_before(each.name) <= now]
        return set(wanted[: max(0, room)])

    def _not_before(self, name: str) -> float:
        return self._short_lived.get(name, 0.0)

    def _note_end(self, name: str, began: float) -> None:
        """A server that ends connections soon would have us log in, and look at everyone, again and again."""
        if monotonic() - began < SHORT:
            self._short_lived[name] = monotonic() + AVOIDED

    def _keep_open(self, brother: "_Brother") -> None:
        name = brother.server.name
        self._give_up(name)
        with self._lock:
            if len(self._kept) >= self._keep or self._not_before(name) > monotonic():
                return
            brother.stays = True
            self._kept[name] = brother
        brother.opened.ended(self._hint.set)

    def _give_up(self, name: str) -> None:
        with self._lock:
            before = self._kept.pop(name, None)
        if before is not None:
            before.opened.ended(lambda: None)
            before.opened.close()

    def hinted(self) -> bool:
        """Whether a kept connection has ended since the last knock."""
        return self._hint.is_set()

    def close(self) -> None:
        for name in list(self._kept):
            self._give_up(name)

    def _no_route(self, server: Server, fault: UsageError) -> Evidence:
        return Evidence(self._observer, server.name, Rung.NO_ROUTE, self._now(), trouble=fault.what)


@dataclass(slots=True)
class _Brother:
    """A server with an open connection, through which others are tried. `stays`: `close` leaves it open."""

    server: Server
    opened: Opened
    door: Callable[[Server], tuple[str, int] | None]
    timeout: float
    now: Callable[[], float]
    stays: bool = False
    began: float = field(default_factory=monotonic)
    doors: Doors = field(init=False)
    pulse: Pulse = field(init=False)

    def __post_init__(self) -> None:
        # A connection that is in the middle of a new key exchange makes who sends wait for its end.
        self.opened.connection.clear_to_send_timeout = self.timeout
        self.pulse = Pulse(self.opened.connection)
        self.doors = Doors(self.opened.connection, self.pulse)

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
                told = session.call("reach", timeout=limit, ends=limit, doors=wanted, within=self.timeout).value()
            except MemberFault:
                return None
        return [
            replace(self._told(name, _BY_WORD[word], float(took)), trouble=FORWARDS_NOTHING)
            for name, word, took in _triples(told.get("met"))
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
