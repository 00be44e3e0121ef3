"""Rounds of the topology over a prober that tells what the test wants: what is asked of whom, and what is kept."""

from collections.abc import Callable, Iterator, Sequence, Set
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from multiall_cli.adapters.store.sqlite import SqliteStore
from multiall_cli.domain.inventory import Server, TopologySettings
from multiall_cli.domain.topology import Evidence, ProbeLevel, Round, State, Topology
from multiall_cli.engine.probe import Watcher, recalled, scan
from multiall_cli.planning.whom import unavailable
from multiall_cli.ports.probes import Observer

NAMES = ("a", "b", "c", "d", "e")


@dataclass
class Clock:
    """Stands where it is put."""

    t: float = 1_000_000.0

    def now(self) -> float:
        return self.t

    def monotonic(self) -> float:
        return self.t


@dataclass
class Fleet:
    """Servers as a prober meets them. `silent`: answer no one; `behind`: no knock reaches them; `asked`: logins;
    `mute`: cannot be asked about others; `trouble`: cannot be logged in to; `lost`: nor does one hear why.
    """

    clock: Clock
    silent: set[str] = field(default_factory=set)
    behind: set[str] = field(default_factory=set)
    testimony: Callable[[str, str], ProbeLevel | None] = lambda observer, target: None
    asked: list[str] = field(default_factory=list)
    mute: set[str] = field(default_factory=set)
    trouble: set[str] = field(default_factory=set)
    lost: set[str] = field(default_factory=set)

    vantage: str = "adm"

    def _met(self, name: str, rung: ProbeLevel) -> Evidence:
        return Evidence(self.vantage, name, ProbeLevel.TIMEOUT if name in self.silent else rung, self.clock.t)

    def probe(self, servers: Sequence[Server], listen: Set[str]) -> Sequence[Evidence]:
        return [self._met(each.name, ProbeLevel.TCP) for each in servers if each.name not in self.behind]

    def login(self, server: Server) -> tuple[Sequence[Evidence], Observer | None]:
        self.asked.append(server.name)
        self.clock.t += 0.001  # a login comes after the knock
        if server.name in self.lost:
            return [], None
        if server.name in self.trouble:
            return [replace(self._met(server.name, ProbeLevel.BANNER), trouble="another host key")], None
        met = self._met(server.name, ProbeLevel.AUTH)
        return [met], None if met.rung is ProbeLevel.TIMEOUT else Brother(server.name, self)

    def open_peer(self, server: Server) -> Observer | None:
        return None

    def would_pool(self, servers: Sequence[Server]) -> Set[str]:
        return set()


@dataclass(frozen=True)
class Brother:
    """Tells what the fleet's testimony says."""

    name: str
    fleet: Fleet

    def reach(self, targets: Sequence[Server]) -> Sequence[Evidence] | None:
        return None if self.name in self.fleet.mute else [self._met(target.name) for target in targets]

    def _met(self, target: str) -> Evidence:
        rung = self.fleet.testimony(self.name, target)
        if rung is None:
            rung = ProbeLevel.TIMEOUT if target in self.fleet.silent else ProbeLevel.TCP
        return Evidence(self.name, target, rung, self.fleet.clock.t)

    def close(self) -> None:
        return


@dataclass
class Desk:
    """One site's scans."""

    fleet: Fleet
    store: SqliteStore
    settings: TopologySettings = field(default_factory=TopologySettings)
    names: Sequence[str] = NAMES
    vantage: str = "adm"

    @property
    def servers(self) -> list[Server]:
        return [Server(name=name, address=f"192.0.2.{at}") for at, name in enumerate(self.names, 1)]

    def scan(self, seconds: float = 60.0, **how: bool) -> Round:
        self.fleet.clock.t += seconds
        return scan(
            Watcher(self.vantage, self.fleet, self.store, self.fleet.clock, self.settings, self.store.downtimes.all),
            self.servers,
            **how,
        )

    def recalled(self, now: float) -> Topology:
        return recalled(self.vantage, self.store, now, self.servers, self.store.downtimes.all(now), self.settings.every)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with closing(SqliteStore(tmp_path)) as store:
        yield Desk(Fleet(Clock()), store)


def test_servers_behind_a_jump_host_are_logged_in_to_and_hold_up_no_verdict(desk: Desk) -> None:
    desk.fleet.behind.add("b")
    assert desk.scan().topology.state_of("b") is State.UP
    desk.fleet.silent.add("a")
    for _ in range(3):
        found = desk.scan()
    assert found.topology.state_of("a") is State.DOWN
    desk.fleet.silent.add("b")
    for _ in range(3):
        found = desk.scan()
    assert found.topology.state_of("b") is State.DOWN


def test_who_cannot_be_tried_at_all_holds_up_no_verdict(desk: Desk) -> None:
    """Behind a jump host, and we only knock."""
    desk.fleet.behind.add("b")
    desk.scan(logins=False)
    desk.fleet.silent.add("a")
    for _ in range(3):
        found = desk.scan(logins=False)
    assert (found.topology.state_of("a"), found.topology.state_of("b")) == (State.DOWN, State.UNKNOWN)


def test_it_is_judged_once_all_have_answered(desk: Desk) -> None:
    """One brother reaches it, and the others, who answer sooner, do not."""
    desk.scan()
    desk.fleet.silent.add("a")
    desk.fleet.testimony = lambda observer, target: (
        (ProbeLevel.TCP if observer == "e" else ProbeLevel.TIMEOUT) if target == "a" else None
    )
    states = [desk.scan(links=True).topology.state_of("a") for _ in range(5)]
    assert states == [State.SUSPECT, *[State.UNREACHABLE] * 4]


def test_our_own_network_is_looked_at_first(desk: Desk) -> None:
    """Where our own word is enough, a dead uplink must not make one server's silence a death."""
    desk.settings = TopologySettings(denials=0, sentinels=("192.0.2.200",))
    desk.scan()
    desk.fleet.silent |= {"a", "192.0.2.200"}
    for _ in range(5):
        found = desk.scan(logins=False)
        assert found.topology.state_of("a") is State.SUSPECT
    told = [event.after for event in desk.store.topology.events(100) if not event.server]
    assert told == ["frozen"]
    desk.fleet.silent.discard("192.0.2.200")
    for _ in range(3):
        found = desk.scan(logins=False)
    assert found.topology.state_of("a") is State.DOWN


def test_a_sentinel_that_never_answered_freezes_nothing(desk: Desk) -> None:
    """A router that drops what it is not asked for."""
    desk.settings = TopologySettings(sentinels=("192.0.2.200",))
    desk.fleet.silent.add("192.0.2.200")
    assert desk.scan().topology.frozen == ""


def test_a_clock_that_was_ahead_blinds_no_one(desk: Desk) -> None:
    """What was seen under the wrong time is not newer than all that comes."""
    desk.scan()
    desk.fleet.clock.t -= 86_400
    desk.fleet.silent.add("a")
    states = [desk.scan().topology.state_of("a") for _ in range(4)]
    assert states[-1] is State.DOWN


def test_servers_come_and_go(desk: Desk) -> None:
    """Who left the inventory is in no picture; who comes is looked at."""
    desk.scan()
    desk.names = ("b", "c", "new")
    topology = desk.scan().topology
    assert set(topology.verdicts) == {"b", "c", "new"}
    assert not {"a", "d"} & {name for group in topology.components for name in group}


def test_who_was_down_long_ago_is_tried_again(desk: Desk) -> None:
    """A verdict that no scan has renewed is too old to act on."""
    desk.scan()
    desk.fleet.silent.add("a")
    for _ in range(3):
        desk.scan()
    assert set(unavailable(desk.recalled(desk.fleet.clock.t))) == {"a"}
    later = desk.fleet.clock.t + 3600
    assert unavailable(desk.recalled(later)) == {}


def test_everyone_is_logged_in_to_now_and_then(desk: Desk) -> None:
    """By rounds, however far apart they are."""
    for _ in range(30):
        desk.scan(300.0, links=False)
    assert set(desk.fleet.asked) == set(NAMES)


def test_memory_that_is_broken_is_no_memory(desk: Desk) -> None:
    desk.scan()
    desk.store.topology.save_round("adm", {"a": b"broken", "b": b"{}", "": b"[1]"}, (), ())
    assert set(desk.scan().topology.verdicts) == set(NAMES)


def test_brothers_that_cannot_be_asked_are_not_waited_for(desk: Desk) -> None:
    """Three of four have forwarding off and no python3: the fourth one's word is enough, and is got."""
    desk.fleet.mute = {"b", "c", "d"}
    desk.scan()
    desk.fleet.silent.add("a")
    states = [desk.scan().topology.state_of("a") for _ in range(6)]
    assert states[0] is State.SUSPECT
    assert states[-1] is State.DOWN
    assert "denied by e" in desk.recalled(desk.fleet.clock.t).verdicts["a"].reason


def test_that_no_one_can_be_asked_is_told(desk: Desk) -> None:
    """It stays suspect for ever, and says why, and what would change that."""
    desk.fleet.mute = {"b", "c", "d", "e"}
    desk.scan()
    desk.fleet.silent.add("a")
    for _ in range(5):
        found = desk.scan().topology
    assert found.state_of("a") is State.SUSPECT
    assert found.verdicts["a"].reason.endswith(
        "s, but no brother can be asked about it (with `confirmations: 0` our own word would be enough)"
    )
    desk.fleet.mute.clear()
    for _ in range(3):
        found = desk.scan().topology
    assert found.state_of("a") is State.DOWN


def test_two_vantages_over_one_store_merge_what_they_saw(desk: Desk) -> None:
    """The second one is cut off from `a`, and so are all of its brothers; the first one reaches it."""
    other = Desk(Fleet(desk.fleet.clock, vantage="adm2"), desk.store, desk.settings, vantage="adm2")
    desk.scan(links=False)
    other.scan(0.0)
    other.fleet.silent.add("a")
    for _ in range(4):
        desk.scan(60.0, links=False)
        found = other.scan(0.0).topology
    assert found.verdicts["a"].state is State.PARTITIONED
    assert found.verdicts["a"].reason == "only adm reaches it, whom we do not"
    assert desk.scan(0.0, links=False).topology.state_of("a") is State.UP
    assert {edge.observer for edge in found.edges if edge.target == "a"} >= {"adm", "adm2"}
    desk.fleet.silent.add("a")
    for _ in range(4):
        desk.scan(60.0)
        found = other.scan(0.0).topology
    assert (found.state_of("a"), desk.scan(0.0).topology.state_of("a")) == (State.DOWN, State.DOWN)


def test_brothers_in_trouble_are_not_asked_and_not_waited_for(desk: Desk) -> None:
    """Four of five have another host key: the fifth one's word is enough."""
    desk.scan()
    desk.fleet.trouble = {"b", "c", "d"}
    desk.scan()
    desk.fleet.silent.add("a")
    states = [desk.scan().topology.state_of("a") for _ in range(4)]
    assert states[-1] is State.DOWN


def test_brothers_behind_a_dead_jump_host_are_not_waited_for(desk: Desk) -> None:
    """A login to them tells nothing at all, and asks no one."""
    desk.scan()
    desk.fleet.behind |= {"b", "c", "d"}
    desk.fleet.lost |= {"b", "c", "d"}
    desk.scan()
    desk.fleet.silent.add("a")
    states = [desk.scan().topology.state_of("a") for _ in range(5)]
    assert states[-1] is State.DOWN
