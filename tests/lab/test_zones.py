"""Names of real hosts: BIND 9 on three of them, and members that die, are cut off, are drained and come back."""

import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import dns.exception
import dns.message
import dns.query
import pytest

from multiall_cli.adapters.network_namespace import NetworkNamespace
from multiall_cli.domain.answer import Finding, Severity
from multiall_cli.domain.baseline import Code
from multiall_cli.domain.exits import Exit
from multiall_cli.domain.records import ZoneReport
from multiall_cli.domain.topology import DowntimeKind, State
from multiall_cli.engine.sync import SyncOptions
from multiall_cli.fleet import Fleet, FleetOptions
from multiall_cli.fleet.sync import sync
from multiall_cli.lab.real.faults import FaultKind
from tests.fixtures.bench import ALL_GUARDS
from tests.fixtures.bind9 import PATH, SECRET
from tests.lab.ground import ROOT, Ground
from tests.limits import HANG

pytestmark = pytest.mark.skipif(shutil.which("named", path=PATH) is None, reason="there is no named: install bind9")

PRIMARY, SECONDARY, OTHER = "web1", "web2", "web3"
IMPATIENT = {"every": "1s", "confirm_after": "1s", "timeout": "500ms", "confirmations": 1}
LIMIT = HANG  # seconds to wait for an event
CONF = """\
options {{ directory "/var/cache/bind"; recursion no; dnssec-validation no; listen-on {{ any; }}; }};
key "multiall" {{ algorithm hmac-sha256; secret "{secret}"; }};
zone "example.net" {{ {zone} }};
"""
ZONE = """\
$TTL 300
@ IN SOA ns1 hostmaster ( 5 ; serial
  3600 600 86400 60 )
@ IN NS ns1
ns1 IN A {address}
mail IN A 203.0.113.9 ; made by hand
"""


@dataclass
class Names:
    """The pool's names in a zone of the lab's hosts."""

    ground: Ground
    zone: Mapping[str, object]
    network: NetworkNamespace
    names: Sequence[Mapping[str, object]] = ({"name": "www", "ttl": 2},)

    def write(self, **pool: object) -> None:
        """Add zones, the pool's names, and other settings of the pool to the site."""
        racks = {name: {"labels": {"rack": f"r{name[-1]}"}} for name in self.ground.lab.addresses}
        self.ground.write(racks, topology=IMPATIENT)
        file = self.ground.root / "inventory" / "all.yaml"
        told = json.loads(file.read_text())
        told["pools"]["web"].update({"dns": [{"zone": "example.net", **each} for each in self.names], **pool})
        told["zones"] = {"example.net": {"interval": 0.001, "within": 3, **self.zone}}
        file.write_text(json.dumps(told))
        self.ground.tree({"index.html": b"one"})

    def address(self, name: str) -> str:
        return self.ground.lab.addresses[name]

    def answers(self, server: str = PRIMARY, name: str = "www.example.net") -> set[str]:
        """Return the members to which this name server sends clients."""
        names = {address: name for name, address in self.ground.lab.addresses.items()}
        query = dns.message.make_query(name, "A")
        with self.network.entered():
            answer = dns.query.udp(query, self.address(server), timeout=HANG)
        return {names.get(each.to_text(), each.to_text()) for rrset in answer.answer for each in rrset}

    def sync(self) -> ZoneReport:
        with Fleet.load(str(self.ground.root)) as found:
            return found.zones.sync("", SyncOptions())[0]

    def until(self, wanted: Mapping[str, State]) -> None:
        """Scan until servers are in these states."""
        began = time.monotonic()
        with Fleet.load(str(self.ground.root)) as found:
            while time.monotonic() - began < LIMIT:
                topology = found.topology.scan().topology
                if not topology.frozen and all(topology.state_of(name) is state for name, state in wanted.items()):
                    return
        pytest.fail(f"it did not come to {wanted}")


def configure(ground: Ground, server: str, zone: str) -> None:
    """Configure and start named on a host, with the zone."""
    conf = CONF.format(secret=SECRET, zone=zone)
    ground.run(
        server,
        "sh",
        "-c",
        'cat > "$1"; chgrp bind "$1"; chmod 640 "$1"',
        "sh",
        "/etc/bind/named.conf",
        stdin=conf.encode(),
    )
    ground.run(server, "service", "named", "start")


def zone_file(ground: Ground, server: str, path: str) -> None:
    text = ZONE.format(address=ground.lab.addresses[PRIMARY])
    ground.run(server, "sh", "-c", 'cat > "$1"; chown bind:bind "$1"', "sh", path, stdin=text.encode())


@contextmanager
def serving(ground: Ground, made: Names) -> Iterator[Names]:
    """Wait until both name servers answer."""
    began = time.monotonic()
    for server in (PRIMARY, SECONDARY):
        while True:
            try:
                if made.answers(server, "mail.example.net"):
                    break
            except dns.exception.Timeout:
                pass
            assert time.monotonic() - began < LIMIT
    yield made


@pytest.fixture
def dynamic(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> Iterator[Names]:
    """A primary that accepts updates, and a secondary: www has all hosts."""
    monkeypatch.setenv("DNS_SECRET", SECRET)
    primary, secondary = ground.lab.addresses[PRIMARY], ground.lab.addresses[SECONDARY]
    zone_file(ground, PRIMARY, "/var/lib/bind/example.net.zone")
    configure(
        ground,
        PRIMARY,
        f'type primary; file "/var/lib/bind/example.net.zone"; update-policy {{ grant "multiall" zonesub ANY; }}; '
        f'allow-transfer {{ key "multiall"; {secondary}; }}; also-notify {{ {secondary}; }};',
    )
    configure(
        ground,
        SECONDARY,
        f'type secondary; file "example.net.zone"; primaries {{ {primary} key multiall; }}; '
        'allow-notify { key "multiall"; };',
    )
    key = {"name": "multiall", "secret": "${env:DNS_SECRET}"}
    made = Names(
        ground,
        {"primary": PRIMARY, "secondaries": [SECONDARY], "key": key},
        NetworkNamespace(str(ground.lab.folder / "network")),
    )
    made.write()
    with serving(ground, made):
        yield made
    made.network.close()


ALL = dict.fromkeys(("web1", "web2", "web3", "web4"), State.UP)


@pytest.mark.slow("a loss and a return are confirmed over several scans")
def test_a_member_without_power_leaves_and_comes_back(dynamic: Names) -> None:
    dynamic.until(ALL)
    assert dynamic.sync().exit is Exit.OK
    assert dynamic.answers() == dynamic.answers(SECONDARY) == set(ALL)
    with dynamic.ground.lab.broken("web4", FaultKind.POWER_OFF):
        dynamic.until({"web4": State.DOWN})
        report = dynamic.sync()
        assert report.exit is Exit.OK
        assert all(each.lag is not None for each in report.servers)
        assert dynamic.answers() == dynamic.answers(SECONDARY) == {"web1", "web2", "web3"}
        assert dynamic.sync().changed == 0
    dynamic.until(ALL)
    dynamic.sync()
    assert dynamic.answers(SECONDARY) == set(ALL)


def test_a_cut_uplink_takes_no_member_out(dynamic: Names) -> None:
    dynamic.until(ALL)
    dynamic.sync()
    with dynamic.ground.lab.broken("web3", FaultKind.CUT), dynamic.ground.lab.broken("web4", FaultKind.CUT):
        with Fleet.load(str(dynamic.ground.root)) as found:
            assert [found.topology.scan().topology.frozen != "" for _ in range(3)][-1]
        assert dynamic.sync().changed == 0
        assert dynamic.answers() == set(ALL)


def test_pending_changes_of_names_are_a_check_of_members(dynamic: Names) -> None:
    dynamic.until(ALL)
    dynamic.sync()
    rule = "names:www.example.net"
    assert codes_of(dynamic, rule) == dict.fromkeys(ALL, Code.OK)
    dynamic.names = ({"name": "www", "ttl": 3},)
    dynamic.write()
    assert codes_of(dynamic, rule) == dict.fromkeys(ALL, Code.DRIFT)
    dynamic.sync()
    dynamic.ground.run(PRIMARY, "service", "named", "stop")
    assert codes_of(dynamic, rule) == dict.fromkeys(ALL, Code.COLLECT_ERROR), "no one knows"
    with Fleet.load(str(dynamic.ground.root)) as found:
        topology = found.topology.current()
        assert {topology.health_of(name) for name in ALL} == {Code.OK}, "and they can serve all the same"


def codes_of(names: Names, rule: str) -> dict[str, Code]:
    """Return a rule's code on each server that has it."""
    with Fleet.load(str(names.ground.root)) as found:
        checked = list(found.baseline.check(drift=True))
    return {each.server: own.code for each in checked for own in each.statuses if own.rule == rule}


def test_a_name_server_that_is_down_gets_the_change_later(dynamic: Names) -> None:
    dynamic.until(ALL)
    dynamic.sync()
    with Fleet.load(str(dynamic.ground.root)) as found:
        found.topology.set_downtime("web4", DowntimeKind.DRAIN, time.time(), time.time() + 3600, "a test")
    with dynamic.ground.lab.broken(PRIMARY, FaultKind.POWER_OFF):
        report = dynamic.sync()
        assert report.exit is Exit.PARTIAL
        assert f"its primary {PRIMARY}" in report.stopped
        with Fleet.load(str(dynamic.ground.root)) as found:
            assert [each.server for each in found.journal.pending().missed] == [PRIMARY]
    configured = dynamic.ground.lab.run(PRIMARY, ["service", "named", "start"])
    assert configured.returncode == 0
    began = time.monotonic()
    while (report := dynamic.sync()).exit is not Exit.OK:
        assert time.monotonic() - began < LIMIT, report
    assert dynamic.answers() == {"web1", "web2", "web3"}
    with Fleet.load(str(dynamic.ground.root)) as found:
        assert not found.journal.pending().missed


def test_clock_differences_are_reported(dynamic: Names) -> None:
    dynamic.until(ALL)
    ground = dynamic.ground
    ground.run(PRIMARY, "service", "named", "stop")
    with ground.lab.broken(PRIMARY, FaultKind.SKEW_CLOCK, by=1000):
        ground.run(PRIMARY, "service", "named", "start")
        began = time.monotonic()
        while "by more than five minutes (BADTIME)" not in (report := dynamic.sync()).stopped:
            assert time.monotonic() - began < LIMIT, report
        assert report.exit is Exit.PARTIAL


def test_a_rollout_that_drains(dynamic: Names) -> None:
    """Each member is out of the name, and out of clients' caches, before it is changed."""
    dynamic.until(ALL)
    dynamic.sync()
    dynamic.write(rollout={"batch": [2], "drain": True})
    seen: list[tuple[set[str], set[str]]] = []

    def watch(step: object) -> None:
        if getattr(step, "name", "") == "applied":
            has = {name for name in ALL if dynamic.ground.has(name, "/srv/www/index.html")}
            seen.append((has, dynamic.answers()))

    with Fleet.load(str(dynamic.ground.root), FleetOptions(watch=watch)) as found:
        report = sync(found.context, "web", options=ALL_GUARDS)
    assert report.exit is Exit.OK
    assert dynamic.answers() == set(ALL)
    assert seen
    assert [told & {"web1", "web2"} for _, told in seen[:1]] == [set()]
    with Fleet.load(str(dynamic.ground.root)) as found:
        assert all(word is None for word in map(found.topology.current().planned_of, ALL))
        entries = found.context.store.journal.entries(report.run)
    purposes = {each.turn: each.purpose.value for each in entries if each.agent == "zones:example.net"}
    assert purposes == {0: "drain", 1: "restore", 2: "drain", 3: "restore"}, "one run, each step of it in the journal"


def test_a_rollout_that_would_leave_too_few(dynamic: Names) -> None:
    dynamic.names = ({"name": "www", "ttl": 2, "at_least": 3},)
    dynamic.write(rollout={"batch": [2], "drain": True})
    dynamic.until(ALL)
    dynamic.sync()
    with Fleet.load(str(dynamic.ground.root)) as found:
        report = sync(found.context, "web")
    assert report.exit is Exit.REFUSED
    assert "at least 3 are wanted" in report.stopped
    assert dynamic.answers() == set(ALL)
    assert not any(dynamic.ground.has(name, "/srv/www/index.html") for name in ALL)


class Clients(threading.Thread):
    """Look the name up twenty times a second at both servers, and store the answers with their times."""

    def __init__(self, names: Names) -> None:
        super().__init__()
        self._names, self._ended = names, threading.Event()
        self.answers: list[tuple[float, set[str]]] = []

    def run(self) -> None:
        while not self._ended.wait(0.05):
            for server in (PRIMARY, SECONDARY):
                self.answers.append((time.monotonic(), self._names.answers(server)))

    def until(self, wanted: Callable[[set[str]], bool]) -> float:
        """Wait until both servers gave such an answer twice in a row; return when."""
        began = time.monotonic()
        while time.monotonic() - began < LIMIT:
            if len(self.answers) >= 4 and all(at > began and wanted(found) for at, found in self.answers[-4:]):
                return time.monotonic()
            self._ended.wait(0.05)
        pytest.fail(f"clients get {self.answers[-2:]}")

    def end(self) -> None:
        self._ended.set()
        self.join()


@pytest.mark.slow("clients see each member out and in again by real TTLs")
def test_clients_while_members_die_are_cut_off_and_drained(dynamic: Names) -> None:
    dynamic.until(ALL)
    dynamic.sync()
    lab = dynamic.ground.lab
    argv = [sys.executable, "-m", "multiall_cli", "--site", str(dynamic.ground.root), "dns", "watch", "--every", "1s"]
    watch = subprocess.Popen([*argv, "--yes"], env={**os.environ, "PYTHONPATH": str(ROOT)}, stdout=subprocess.DEVNULL)
    clients = Clients(dynamic)
    clients.start()
    try:
        for name, fault in (("web4", FaultKind.POWER_OFF), ("web3", FaultKind.CUT)):
            with lab.broken(name, fault):
                clients.until({name}.isdisjoint)
            clients.until({name}.issubset)
        with Fleet.load(str(dynamic.ground.root)) as found:
            found.topology.set_downtime("web3", DowntimeKind.DRAIN, time.time(), time.time() + 60, "a test")
            gone = clients.until(lambda found: "web3" not in found)
            found.topology.end_downtime("web3")
        clients.until(lambda found: found == set(ALL))
    finally:
        clients.end()
        watch.terminate()
        watch.wait()
    assert gone
    assert all(found >= {"web1", "web2"} for _, found in clients.answers), "no client was ever told too little"


# --- zones in files -----------------------------------------------------------------------------------------------

FILE = "/etc/bind/example.net.zone"


@pytest.fixture
def in_files(ground: Ground) -> Iterator[Names]:
    """Two primaries with the same file."""
    for server in (PRIMARY, SECONDARY):
        zone_file(ground, server, FILE)
        configure(ground, server, f'type primary; file "{FILE}";')
    zone = {"primary": PRIMARY, "mirrors": [SECONDARY], "file": FILE}
    made = Names(ground, zone, NetworkNamespace(str(ground.lab.folder / "network")))
    made.write()
    with serving(ground, made):
        yield made
    made.network.close()


def test_a_zone_in_files(in_files: Names) -> None:
    in_files.until(ALL)
    ground = in_files.ground
    report = in_files.sync()
    assert report.exit is Exit.OK, report
    assert in_files.answers() == in_files.answers(SECONDARY) == set(ALL)
    assert in_files.answers(SECONDARY, "mail.example.net") == {"203.0.113.9"}
    text = ground.run(PRIMARY, "cat", FILE).decode()
    assert "made by hand" in text
    assert "( 6 ; serial" in text
    assert text == ground.run(SECONDARY, "cat", FILE).decode()
    assert in_files.sync().changed == 0
    with ground.lab.broken("web4", FaultKind.POWER_OFF):
        in_files.until({"web4": State.DOWN})
        assert in_files.sync().exit is Exit.OK
        assert in_files.answers() == in_files.answers(SECONDARY) == {"web1", "web2", "web3"}
    assert ground.run(PRIMARY, "stat", "-c", "%U", FILE).decode().strip() == "bind"
    assert not ground.lab.run(PRIMARY, ["ls", f"{FILE}.multiall"]).stdout


@pytest.mark.slow("a primary is silent for several time limits")
def test_an_absent_primary_catches_up(in_files: Names) -> None:
    in_files.until(ALL)
    ground = in_files.ground
    ground.run(SECONDARY, "service", "named", "stop")
    with ground.lab.broken(SECONDARY, FaultKind.CUT):
        report = in_files.sync()
        assert report.exit is Exit.PARTIAL
        assert [bool(each.trouble) for each in report.servers] == [False, True]
        assert in_files.answers() == set(ALL)
    ground.run(SECONDARY, "service", "named", "start")
    in_files.until(ALL)
    began = time.monotonic()
    while in_files.sync().exit is not Exit.OK:
        assert time.monotonic() - began < LIMIT
    assert in_files.answers(SECONDARY) == set(ALL)


def test_a_failed_reload_is_repeated(in_files: Names) -> None:
    """The file is new, but the served zone is old."""
    in_files.until(ALL)
    in_files.sync()
    ground = in_files.ground
    with Fleet.load(str(ground.root)) as found:
        found.topology.set_downtime("web4", DowntimeKind.DRAIN, time.time(), time.time() + 3600, "a test")
    assert all(each.health is Severity.WELL for each in examined(in_files))
    ground.run(PRIMARY, "sh", "-c", "mv /usr/sbin/rndc /usr/sbin/rndc.away")
    ill = [each for each in examined(in_files) if each.health is Severity.ILL]
    assert [(each.subject, "rndc" in each.what) for each in ill] == [(f"example.net at {PRIMARY}", True)]
    assert in_files.sync().exit is Exit.PARTIAL
    assert in_files.answers() == set(ALL)
    ground.run(PRIMARY, "sh", "-c", "mv /usr/sbin/rndc.away /usr/sbin/rndc")
    assert in_files.sync().exit is Exit.OK
    assert in_files.answers() == in_files.answers(SECONDARY) == {"web1", "web2", "web3"}


def examined(names: Names) -> list[Finding]:
    with Fleet.load(str(names.ground.root)) as found:
        return list(found.zones.examine("")[0])


def test_an_edit_during_the_check_is_not_overwritten(in_files: Names) -> None:
    in_files.until(ALL)
    ground = in_files.ground
    slow = f"""#!/bin/sh
/opt/named-checkzone "$@"; code=$?
case "$*" in *.multiall*) test -e /tmp/edited || echo 'late IN A 203.0.113.7' >> {FILE}; touch /tmp/edited;; esac
exit $code
"""
    ground.run(PRIMARY, "mv", "/usr/bin/named-checkzone", "/opt")
    script = "cat > /usr/bin/named-checkzone; chmod 755 /usr/bin/named-checkzone"
    ground.run(PRIMARY, "sh", "-c", script, stdin=slow.encode())
    assert in_files.sync().exit is Exit.OK
    assert in_files.answers() == set(ALL)
    assert in_files.answers(PRIMARY, "late.example.net") == {"203.0.113.7"}


def test_a_file_that_is_broken_or_edited_is_left_alone(in_files: Names) -> None:
    in_files.until(ALL)
    in_files.sync()
    ground = in_files.ground
    text = ground.run(PRIMARY, "cat", FILE).decode()
    address = in_files.address("web2")
    edited = text.replace(f"www.example.net. 2 IN A {address}\n", "")
    assert edited != text
    ground.run(PRIMARY, "sh", "-c", 'cat > "$1"', "sh", FILE, stdin=edited.encode())
    report = in_files.sync()
    assert report.exit is Exit.REFUSED
    assert "someone has edited it" in str(report.plan.conflicts)
    ground.run(PRIMARY, "sh", "-c", 'cat > "$1"', "sh", FILE, stdin=text.replace("IN NS ns1", "IN NS").encode())
    report = in_files.sync()
    assert report.exit is Exit.PARTIAL
    assert "named-checkzone" in report.stopped
    assert in_files.answers() == set(ALL)


def test_a_line_outside_our_block_affects_only_its_own_name(in_files: Names) -> None:
    in_files.names = tuple({"name": name, "ttl": 2} for name in ("www", "api", "mail"))
    in_files.write()
    in_files.until(ALL)
    first = in_files.sync()
    assert first.exit is Exit.REFUSED
    assert f"take it out of {FILE}, and sync" in str(first.plan.conflicts)
    with Fleet.load(str(in_files.ground.root)) as found:
        (told,) = found.zones.adopt("mail.example.net", "A", SyncOptions())
    assert (told.exit, "outside our part of it" in told.stopped) == (Exit.REFUSED, True)
    for server in (PRIMARY, SECONDARY):
        in_files.ground.run(server, "sh", "-c", 'echo "www 2 IN A 203.0.113.7" >> "$1"', "sh", FILE)
    with Fleet.load(str(in_files.ground.root)) as found:
        found.zones.adopt("www.example.net", "A", SyncOptions())
        found.topology.set_downtime("web4", DowntimeKind.DRAIN, time.time(), time.time() + 3600, "a test")
    report = in_files.sync()
    assert [each.subject for each in report.refused] == ["www.example.net A"]
    assert "other lines for it" in report.refused[0].what
    assert in_files.answers(PRIMARY, "api.example.net") == {"web1", "web2", "web3"}
    assert in_files.answers(SECONDARY, "api.example.net") == {"web1", "web2", "web3"}


def test_a_fragment_that_the_zone_includes(in_files: Names) -> None:
    ground, fragment = in_files.ground, "/etc/bind/example.net.multiall"
    for server in (PRIMARY, SECONDARY):
        ground.run(server, "sh", "-c", r'echo "\$INCLUDE $2" >> "$1"; touch "$2"', "sh", FILE, fragment)
    in_files.zone = {**in_files.zone, "fragment": fragment}
    in_files.write()
    in_files.until(ALL)
    report = in_files.sync()
    assert report.exit is Exit.OK, report
    assert in_files.answers() == in_files.answers(SECONDARY) == set(ALL)
    assert "www.example.net. 2 IN A" in ground.run(SECONDARY, "cat", fragment).decode()
    assert "www.example.net." not in ground.run(SECONDARY, "cat", FILE).decode()
    assert in_files.sync().changed == 0


def test_a_dynamic_zone_is_refused_as_a_zone_in_files(dynamic: Names) -> None:
    dynamic.zone = {"primary": PRIMARY, "file": "/var/lib/bind/example.net.zone"}
    dynamic.write()
    dynamic.until(ALL)
    report = dynamic.sync()
    assert report.exit is Exit.PARTIAL
    assert "is dynamic: named writes its file itself" in report.stopped
    assert dynamic.answers() == set()
