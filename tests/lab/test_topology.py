"""The topology of real hosts under real faults: each server's state, and states that must never occur."""

import json
import random
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from multiall_cli.domain.report import MemberState
from multiall_cli.domain.topology import REST, DowntimeKind, LinkState, ProbeLevel, Round, State, Topology
from multiall_cli.fleet import Fleet
from multiall_cli.lab.real.faults import FaultKind
from tests.lab.ground import Ground, member, states
from tests.limits import HANG
from tests.scale import share

IMPATIENT = {"every": "1s", "confirm_after": "1s", "timeout": "500ms"}
LIMIT = HANG  # seconds to wait for an event
HOSTS = ("web1", "web2", "web3", "web4")


@dataclass
class Eyes:
    """Scans, all of them stored."""

    fleet: Fleet
    rounds: list[Round]

    def scan(self) -> Topology:
        self.rounds.append(self.fleet.topology.scan())
        return self.rounds[-1].topology

    def until(self, wanted: Callable[[Topology], bool]) -> Topology:
        """Scan until the condition holds."""
        began = time.monotonic()
        while time.monotonic() - began < LIMIT:
            if wanted(topology := self.scan()):
                return topology
        pytest.fail(f"it did not come to that: {topology.verdicts}")

    def sees(self, name: str, state: State, words: str = "") -> Topology:
        """Scan until the server is in that state, for that reason: a fault may take a while to show."""
        return self.until(lambda topology: topology.state_of(name) is state and words in topology.verdicts[name].reason)

    def all_well(self) -> Topology:
        """Scan until all is well: on a busy machine, a host may be late once."""
        up = dict.fromkeys(HOSTS, State.UP)
        return self.until(
            lambda topology: not topology.frozen and {name: topology.state_of(name) for name in HOSTS} == up
        )

    def never(self, state: State, *, but: str = "") -> bool:
        """Return whether no server was ever in that state, except one."""
        return not any(event.after == state and event.server != but for each in self.rounds for event in each.events)


@contextmanager
def eyes(
    ground: Ground, servers: Mapping[str, Mapping[str, object]] | None = None, **settings: object
) -> Iterator[Eyes]:
    """Scan until all hosts are up."""
    ground.write(servers, topology={**IMPATIENT, **settings})
    with Fleet.load(str(ground.root)) as fleet:
        found = Eyes(fleet, [])
        found.all_well()
        yield found


@pytest.mark.parametrize(
    ("fault", "state", "words"),
    [
        (FaultKind.KILL, State.DOWN, "denied by web"),
        (FaultKind.POWER_OFF, State.DOWN, "denied by web"),
        (FaultKind.CUT, State.DOWN, "denied by web"),
        (FaultKind.KILL_SSHD, State.DEGRADED, "its sshd refuses connections"),
        (FaultKind.HUNG_SSHD, State.DEGRADED, "its sshd sends no"),
        (FaultKind.FREEZE, State.DEGRADED, "its sshd sends no"),
    ],
    ids=lambda each: str(each) if isinstance(each, FaultKind) else "",
)
def test_states_of_servers_with_faults(ground: Ground, fault: FaultKind, state: State, words: str) -> None:
    """Silent servers are down; servers that show any sign of life are degraded, never down."""
    with eyes(ground) as seen:
        ground.lab.do("web2", fault)
        seen.sees("web2", state, words)
        assert seen.never(State.DOWN, but="web2")
        if state is State.DEGRADED:
            assert seen.never(State.DOWN)
            ground.lab.undo("web2", fault)
            seen.sees("web2", State.UP)


def test_peers_without_forwarding_are_asked_too(ground: Ground) -> None:
    """Their python3 connects instead; no log has a line of it."""
    for name in HOSTS:
        ground.run(name, "sh", "-c", "echo AllowTcpForwarding no > /etc/ssh/sshd_config.d/closed.conf")
        ground.run(name, "sh", "-c", "kill -HUP $(pgrep -o sshd)")
    with eyes(ground) as seen:
        topology = seen.until(lambda found: len(found.edges) == len(HOSTS) ** 2)
        assert {edge.state for edge in topology.edges} == {LinkState.OK}
        ground.lab.do("web2", FaultKind.POWER_OFF)
        seen.sees("web2", State.DOWN, "denied by web")


def nowhere(ground: Ground, name: str, *which: str) -> None:
    """Route TCP packets of a host that are `which` (words of `ip rule`) to a machine that does not exist."""
    nobody = "10.99.255.254"
    for words in (
        f"route add default via {nobody} dev eth0 onlink table 99",
        f"neigh add {nobody} lladdr 02:00:00:00:00:99 dev eth0",
        f"rule add ipproto tcp {' '.join(which)} lookup 99",
    ):
        ground.run(name, "ip", *words.split())


def test_a_server_that_answers_pings_is_alive(ground: Ground) -> None:
    """Its sshd is unreachable for everyone; the admin's kernel first allows pings, then does not."""
    with eyes(ground) as seen:
        nowhere(ground, "web2", "sport", "22")
        ground.lab.beside(["sysctl", "-qw", "net.ipv4.ping_group_range=0 0"])
        try:
            topology = seen.sees("web2", State.DEGRADED, "it answers pings only")
            assert ProbeLevel.ICMP in {each.rung for each in topology.verdicts["web2"].evidence}
            for _ in range(4):
                seen.scan()
            assert seen.never(State.DOWN)
        finally:
            ground.lab.beside(["sysctl", "-qw", "net.ipv4.ping_group_range=1 0"])
        seen.sees("web2", State.DOWN, "denied by web")


def test_a_server_that_only_peers_reach_is_unreachable(ground: Ground) -> None:
    """The topology names the peer to go through; a sync uses it, and its errors are that peer's evidence."""
    ground.tree({"page": "one"})
    with eyes(ground) as seen, ground.lab.broken("web2", FaultKind.PARTITION, **{"from": ["admin"]}):
        topology = seen.sees("web2", State.UNREACHABLE)
        relay = topology.relays["web2"]
        assert relay in HOSTS
        assert states(ground.sync())["web2"] is MemberState.CHANGED
        assert ground.has("web2", "/srv/www/page") == b"one"
        assert ground.cli("exec", "web2", "--", "hostname").stdout.count("web2") > 0
        witness = [each for each in seen.scan().verdicts["web2"].evidence if each.rung is ProbeLevel.AUTH]
        assert {each.observer for each in witness} <= {relay}
        assert seen.scan().state_of("web2") is State.UNREACHABLE
        assert seen.never(State.DOWN)


def test_a_link_closed_in_one_direction_is_asymmetric(ground: Ground) -> None:
    """web1 reaches web2, but web2 does not reach web1: its firewall drops new connections."""
    with eyes(ground) as seen:
        nowhere(ground, "web2", "dport", "22", "to", ground.lab.addresses["web1"])

        def found(topology: Topology) -> dict[str, LinkState]:
            return {f"{edge.observer} {edge.target}": edge.state for edge in topology.edges}

        topology = seen.until(lambda each: found(each)["web2 web1"] is LinkState.FILTERED)
        assert found(topology)["web1 web2"] is LinkState.ASYMMETRIC
        assert {topology.state_of(name) for name in HOSTS} == {State.UP}


def test_a_partition_in_the_middle_of_the_pool(ground: Ground) -> None:
    """web3 and web4 see each other and nobody else does: no peer on our side can confirm."""
    with eyes(ground) as seen:
        for name in ("web3", "web4"):
            ground.lab.do(name, FaultKind.PARTITION, **{"from": ["admin", "web1", "web2"]})
        halves = {"web1": State.UP, "web2": State.UP, "web3": State.DOWN, "web4": State.DOWN}
        ours = {"web1", "web2", seen.rounds[0].topology.vantage}
        topology = seen.until(
            lambda found: {name: found.state_of(name) for name in HOSTS} == halves and set(found.components[0]) == ours
        )
        links = {(edge.observer, edge.target): edge.state for edge in topology.edges}
        assert links["web1", "web3"] is links["web2", "web4"] is LinkState.FILTERED


@pytest.mark.slow("six partitions, each confirmed over several scans")
def test_random_partitions(ground: Ground, pytestconfig: pytest.Config) -> None:
    """Our side is one component, all others are apart from it, and each of us is a witness of each cut."""
    luck, rounds = random.Random(pytestconfig.getoption("randomly_seed", 1)), share(100, 6)
    with eyes(ground) as seen:
        vantage = seen.rounds[0].topology.vantage
        for _ in range(rounds):
            side = {"admin": 0, **{name: luck.randrange(3) for name in HOSTS}}
            for name in HOSTS:
                apart = [other for other, its in side.items() if its != side[name]]
                if apart:
                    ground.lab.do(name, FaultKind.PARTITION, **{"from": apart})
            ours = {name for name in HOSTS if side[name] == 0}
            topology = seen.until(
                lambda found, ours=ours: all((found.state_of(name) in REST) == (name in ours) for name in HOSTS)
            )
            assert set(topology.components[0]) == {vantage, *ours}
            links = {(edge.observer, edge.target): edge.state for edge in topology.edges}
            lost = [(one, other) for one in (vantage, *ours) for other in HOSTS if other not in ours]
            assert {links[each] for each in lost} <= {LinkState.FILTERED}
            for name in HOSTS:
                ground.lab.undo(name, FaultKind.PARTITION)
            seen.until(lambda found: all(found.state_of(name) is not State.SUSPECT for name in HOSTS))
            store = seen.fleet.context.store
            store.topology.save_round(vantage, dict.fromkeys(store.topology.servers(vantage), b""), (), ())
            seen.all_well()


def test_an_admin_host_that_lost_its_own_network_decides_nothing(ground: Ground) -> None:
    """However long it lasts: one message, no server down, and all well soon afterwards."""
    with eyes(ground) as seen:
        for name in HOSTS:
            ground.lab.do(name, FaultKind.CUT)
        seen.rounds.clear()
        for _ in range(4):
            assert seen.scan().frozen
        told = [event.words for each in seen.rounds for event in each.events if not event.server]
        assert told == [f"nothing is decided: {seen.rounds[0].topology.frozen}"]
        for name in HOSTS:
            ground.lab.undo(name, FaultKind.CUT)
        seen.all_well()
        assert seen.never(State.DOWN)


@pytest.mark.slow("five scans wait for lost packets")
def test_a_lossy_link_brings_no_server_down(ground: Ground) -> None:
    """Three in ten packets are lost."""
    with eyes(ground, timeout="2s", confirm_after="15s") as seen:
        ground.lab.do("web2", FaultKind.LINE, loss=0.3)
        for _ in range(5):
            seen.scan()
        assert seen.never(State.DOWN)


def test_a_changed_host_key_is_reported_and_not_down(ground: Ground) -> None:
    """The member is quarantined, as for every other command."""
    with eyes(ground) as seen:
        ground.run("web2", "sh", "-c", "rm /etc/ssh/host_key; ssh-keygen -q -t ed25519 -N '' -f /etc/ssh/host_key")
        ground.run("web2", "sh", "-c", "kill -HUP $(pgrep -o sshd)")
        seen.sees("web2", State.DEGRADED, "its host key has changed")
        assert seen.never(State.DOWN)


def test_the_loss_of_a_server_is_reported_once_with_its_dependents(ground: Ground) -> None:
    """A hypervisor and its guests: one event, which is the cause for each."""
    with eyes(ground, servers={name: {"depends_on": ["web2"]} for name in ("web3",)}) as seen:
        for name in ("web2", "web3"):
            ground.lab.do(name, FaultKind.POWER_OFF)
        seen.until(lambda found: {found.state_of(name) for name in ("web2", "web3")} == {State.DOWN})
        told = [event for each in seen.rounds for event in each.events if event.rule == "group"]
        assert [event.words for event in told] == ["web2 is lost, with a server that hangs on it"]
        seen.fleet.topology.set_downtime("web2", DowntimeKind.MAINTENANCE, 0.0, 4e9, "its disk")
        word = seen.fleet.topology.current().planned_of("web3")
        assert word is not None
        assert word.because == "its disk (web2, on which it hangs)"


def test_servers_down_or_in_maintenance_are_skipped(ground: Ground) -> None:
    """A sync defers it at once, and it catches up once it is back."""
    ground.tree({"page": "one"})
    with eyes(ground) as seen:
        ground.lab.do("web2", FaultKind.POWER_OFF)
        seen.sees("web2", State.DOWN)
        said = seen.fleet.topology.set_downtime("web3", DowntimeKind.MAINTENANCE, 0.0, 4e9, "its disk")
        assert [each.server for each in said] == ["web3"]
        report = ground.sync()
        assert states(report) == {
            "web1": MemberState.CHANGED,
            "web2": MemberState.DEFERRED,
            "web3": MemberState.DEFERRED,
            "web4": MemberState.CHANGED,
        }
        assert "it is down: " in member(report, "web2").reason
        assert member(report, "web3").reason == "maintenance: its disk"
        assert [each.what for each in seen.fleet.topology.end_downtime("@web")] == [DowntimeKind.MAINTENANCE]
        assert states(ground.sync())["web3"] is MemberState.CHANGED


def test_errors_of_a_sync_are_evidence(ground: Ground) -> None:
    """The next scan starts with the sync's failure."""
    ground.tree({"page": "one"})
    with eyes(ground) as seen:
        ground.lab.do("web2", FaultKind.POWER_OFF)
        assert states(ground.sync())["web2"] is MemberState.DEFERRED
        topology = seen.fleet.topology.scan(links=False).topology
        assert topology.verdicts["web2"].state in (State.SUSPECT, State.DOWN)


@pytest.mark.slow("a return is confirmed over several scans")
def test_a_server_that_is_back_is_up_after_some_rounds(ground: Ground) -> None:
    """Not at its first answer: over ten seconds, with a login."""
    with eyes(ground) as seen:
        ground.lab.do("web2", FaultKind.CUT)
        seen.sees("web2", State.DOWN)
        ground.lab.undo("web2", FaultKind.CUT)
        went = seen.rounds[-1].topology.verdicts["web2"].since
        topology = seen.sees("web2", State.UP)
        verdict = topology.verdicts["web2"]
        assert verdict.rule == "recovery"
        assert verdict.since - went >= 10.0


def connections(ground: Ground) -> dict[str, int]:
    """Return how many TCP connections each host has accepted; without a new one, no sshd logs a line."""
    found = {}
    for name in HOSTS:
        heads, values = [
            line.split() for line in ground.run(name, "grep", "Tcp:", "/proc/net/snmp").decode().splitlines()
        ]
        found[name] = int(values[heads.index("PassiveOpens")])
    return found


def test_pooled_connections_leave_no_line_in_any_log(ground: Ground) -> None:
    """In steady state: the first scans log in and read a banner each, later ones send keepalives."""
    with eyes(ground) as seen:
        seen.fleet.topology.keep_warm()
        while len(seen.rounds) <= len(HOSTS):
            seen.scan()
        before = connections(ground)
        for _ in range(10):
            round_ = seen.fleet.topology.scan(links=False)
            assert round_.samples == len(HOSTS)
        assert connections(ground) == before


@pytest.mark.parametrize("fault", [FaultKind.KILL_SSHD, FaultKind.RESTART], ids=str)
def test_the_end_of_a_pooled_connection_starts_a_scan(ground: Ground, fault: FaultKind) -> None:
    """The next scan starts early."""
    with eyes(ground) as seen:
        seen.fleet.topology.keep_warm()
        seen.scan()
        assert not seen.fleet.topology.is_hinted()
        ground.lab.do("web2", fault)
        began = time.monotonic()
        while not seen.fleet.topology.is_hinted():
            assert time.monotonic() - began < LIMIT
        if fault is FaultKind.KILL_SSHD:
            seen.sees("web2", State.DEGRADED, "its sshd refuses connections")
            ground.lab.undo("web2", fault)
        seen.all_well()
        assert seen.never(State.DOWN)


@pytest.mark.slow("a silent session is given its time limit")
def test_a_pooled_connection_to_a_dead_server_is_closed(ground: Ground) -> None:
    """Its silence decides nothing: it is probed, and peers are asked over their connections."""
    with eyes(ground) as seen:
        seen.fleet.topology.keep_warm()
        seen.scan()
        ground.lab.do("web2", FaultKind.POWER_OFF)
        seen.sees("web2", State.DOWN, "denied by web")
        ground.lab.undo("web2", FaultKind.POWER_OFF)
        seen.sees("web2", State.UP)


@pytest.mark.slow("a silent session is given its time limit")
def test_a_hung_sshd_is_noticed_despite_its_pooled_connection(ground: Ground) -> None:
    """The session's own process answers, but nobody can log in."""
    with eyes(ground, every="10m") as seen:  # so that its banner is read soon
        seen.fleet.topology.keep_warm()
        seen.scan()
        ground.lab.do("web2", FaultKind.HUNG_SSHD)
        seen.sees("web2", State.DEGRADED, "its sshd sends no")
        assert {seen.scan().state_of("web2") for _ in range(3)} == {State.DEGRADED}


@pytest.mark.slow("each return is confirmed over several scans")
def test_a_flapping_server_needs_more_good_rounds(ground: Ground) -> None:
    """Down, up and down again within a quarter of an hour: then three good rounds are not enough."""
    with eyes(ground) as seen:
        ground.lab.do("web2", FaultKind.POWER_OFF)
        seen.sees("web2", State.DOWN)
        ground.lab.undo("web2", FaultKind.POWER_OFF)
        seen.sees("web2", State.UP)
        ground.lab.do("web2", FaultKind.POWER_OFF)
        topology = seen.sees("web2", State.DOWN)
        assert topology.verdicts["web2"].flapping
        ground.lab.undo("web2", FaultKind.POWER_OFF)
        answered = 0
        while answered < 5:
            found = seen.scan().verdicts["web2"]
            answered += found.evidence[0].rung is ProbeLevel.AUTH
            assert (found.state, found.flapping) == (State.DOWN, True)


def test_a_partition_in_three(ground: Ground) -> None:
    """Each part is reported as one, and the server that cut it is the witness."""
    with eyes(ground) as seen:
        for name, others in {
            "web3": ["admin", "web1", "web2", "web4"],
            "web4": ["admin", "web1", "web2", "web3"],
        }.items():
            ground.lab.do(name, FaultKind.PARTITION, **{"from": others})
        ours = ("web1", "web2")
        topology = seen.until(lambda found: {found.state_of(name) for name in ("web3", "web4")} == {State.DOWN})
        parts = [set(part) - {topology.vantage} for part in topology.components]
        assert sorted(map(sorted, parts)) == [["web1", "web2"], ["web3"], ["web4"]]
        assert {topology.state_of(name) for name in ours} == {State.UP}


def test_undeclared_neighbours_are_proposed(ground: Ground) -> None:
    """web3 and web4 are not in the inventory; web1 has connected to one, and knows the other's host key."""
    ground.write()
    path = ground.root / "inventory" / "all.yaml"
    told = json.loads(path.read_text())
    told["servers"] = {name: told["servers"][name] for name in ("web1", "web2")}
    told["pools"]["web"]["members"] = ["web1", "web2"]
    path.write_text(json.dumps(told))
    addresses = ground.lab.addresses
    ground.run("web1", "bash", "-c", f": < /dev/tcp/{addresses['web3']}/22")
    ground.run(
        "web1",
        "sh",
        "-c",
        f"mkdir -p /root/.ssh; echo 'shop,{addresses['web4']} ssh-ed25519 AAAA' > /root/.ssh/known_hosts",
    )
    done = ground.cli("topology", "discover")
    assert done.returncode == 0, done.stderr
    assert "neighbour" in next(line for line in done.stdout.splitlines() if addresses["web3"] in line)
    assert f"  shop: {{address: '{addresses['web4']}'}}  # known_hosts of web1\n" in done.stdout
    assert "198.18.0.1'" not in done.stdout, "that is this machine"
    path.with_name("more.yaml").write_text(done.stdout)
    assert ground.cli("inventory", "check").returncode == 0
    assert "no SSH" not in next(line for line in done.stdout.splitlines() if addresses["web4"] in line)


def published(ground: Ground, name: str) -> dict[str, Any]:
    """Return the published topology on a host."""
    return json.loads(ground.has(name, WHERE) or b"{}")


WHERE = "/var/lib/multiall/topology.json"


def test_members_get_the_topology_at_each_change(ground: Ground, tmp_path: Path) -> None:
    """Signed and dated; absent members get it when they are back; nothing is published while we are cut off."""
    with eyes(ground, publish=WHERE, ttl="1h") as seen:
        first = {name: published(ground, name) for name in HOSTS}
        assert {each["snapshot"]["servers"]["web2"]["state"] for each in first.values()} == {"up"}
        assert seen.fleet.topology.scan().published is None, "nothing has changed"
        ground.lab.do("web2", FaultKind.POWER_OFF)
        seen.sees("web2", State.DOWN)
        assert published(ground, "web1")["snapshot"]["servers"]["web2"]["state"] == "down"
        (tmp_path / "copy.json").write_bytes(ground.has("web1", WHERE) or b"")
        assert ground.cli("topology", "verify", str(tmp_path / "copy.json")).returncode == 0
        (tmp_path / "copy.json").write_text((tmp_path / "copy.json").read_text().replace('"down"', '"up"'))
        forged = ground.cli("topology", "verify", str(tmp_path / "copy.json"))
        assert (forged.returncode, "its signature is not of what it says" in forged.stdout) == (10, True)
        ground.lab.undo("web2", FaultKind.POWER_OFF)
        seen.sees("web2", State.UP)
        assert published(ground, "web2")["snapshot"]["servers"]["web2"]["state"] == "up"
        last = published(ground, "web1")
        for name in HOSTS:
            ground.lab.do(name, FaultKind.CUT)
        assert [seen.fleet.topology.scan().published for _ in range(3)] == [None] * 3
        for name in HOSTS:
            ground.lab.undo(name, FaultKind.CUT)
        assert published(ground, "web1") == last
