"""Two admin hosts at one zone: the second is kept out while the first writes, and never for longer."""

import itertools
import socket
import time
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import pytest

from multiall_cli.adapters.dns.servers import DnsServers
from multiall_cli.agents.zones.leases import Lease, lasts, place_of_lease
from multiall_cli.domain.exits import Exit
from multiall_cli.domain.run import Progress
from multiall_cli.fleet.zone_lookup import store_id
from tests.fixtures.bind9 import NAMED, SECRET, Servers, servers
from tests.fixtures.zone_site import ZoneSite, at

pytestmark = pytest.mark.skipif(NAMED is None, reason="there is no named: install bind9")

_numbers = itertools.count()


@pytest.fixture(scope="module")
def named(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    zones = {f"l{number}.test": "" for number in range(20)}
    with servers(tmp_path_factory.mktemp("named"), zones, secondaries=0) as made:
        yield made


@pytest.fixture
def hosts(named: Servers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[ZoneSite, ZoneSite]:
    """Two hosts with the same site, each with a store of its own."""
    monkeypatch.setenv("DNS_SECRET", SECRET)
    zone = f"l{next(_numbers)}.test"
    found = []
    for name in ("one", "two"):
        made = ZoneSite(tmp_path / name, named, zone)
        made.write()
        made.up()
        found.append(made)
    return found[0], found[1]


def _lease(site: ZoneSite) -> set[str]:
    name, _ = place_of_lease(site.servers.zone(site.zone))
    return site.servers.primary.lookup(name, "TXT")


def _put(site: ZoneSite, expires: float, store: str = "0a1b2c3d", lasts: int = 30) -> str:
    """The lease of a run elsewhere, as it would be if that was killed."""
    zone = site.servers.zone(site.zone)
    lease = Lease(zone.owner, "r1", "ann@adm1", store, lasts, int(expires))
    site.other(place_of_lease(zone)[0].removesuffix(f".{zone.name}"), f'"{lease.text}"', 0, "TXT")
    return lease.text


def test_a_second_host_is_kept_out_while_the_first_writes(hosts: tuple[ZoneSite, ZoneSite]) -> None:
    one, two = hosts
    seen: list[tuple[int, str]] = []

    def watch(step: Progress) -> None:
        if step.name == "applied":
            done = two.multiall("dns", "sync", "--yes")
            seen.append((done.exit, done.out))

    two.down("web1")
    assert one.sync(watch=watch).exit is Exit.OK
    assert [exit_code for exit_code, _ in seen] == [5]
    assert "it is held by" in seen[0][1]
    assert "(run 20" in seen[0][1]
    assert _lease(one) == set(), "given back"
    assert two.sync().exit is Exit.OK
    assert two.told()[0] == at(2, 3)


def test_a_host_that_was_killed_keeps_others_out_until_its_lease_ends(hosts: tuple[ZoneSite, ZoneSite]) -> None:
    one, _ = hosts
    _put(one, time.time() + 25)
    refused = one.multiall("dns", "sync", "--yes")
    assert (refused.exit, "held by ann@adm1 (run r1), for 2" in " ".join(refused.out.split())) == (5, True), refused
    assert one.told()[0] == set()


@pytest.mark.parametrize(("left", "lasts", "code"), [(130, 140, Exit.LOCKED), (90_000, 99_999, Exit.OK)])
def test_a_lease_holds_for_as_long_as_its_host_said(
    hosts: tuple[ZoneSite, ZoneSite], left: int, lasts: int, code: Exit
) -> None:
    """That host has a longer `within:`; none is believed for more than an hour."""
    one, _ = hosts
    _put(one, time.time() + left, lasts=lasts)
    assert one.sync().exit is code


def test_who_waits_gets_it_when_the_lease_ends(hosts: tuple[ZoneSite, ZoneSite]) -> None:
    one, _ = hosts
    _put(one, time.time() + 2)
    assert one.sync(lock_wait=20.0).exit is Exit.OK
    assert one.told()[0] == at(1, 2, 3)
    assert _lease(one) == set()


@pytest.mark.parametrize("lead", [-1.0, 86400.0])
def test_a_lease_that_has_ended_or_never_could_be_blocks_nobody(hosts: tuple[ZoneSite, ZoneSite], lead: float) -> None:
    """It has ended, or was written under a clock that is a day ahead."""
    one, _ = hosts
    _put(one, time.time() + lead)
    assert one.sync().exit is Exit.OK
    assert (one.told()[0], _lease(one)) == (at(1, 2, 3), set())


def test_a_run_that_was_killed_here_does_not_keep_the_next_one_out(hosts: tuple[ZoneSite, ZoneSite]) -> None:
    one, _ = hosts
    with one.fleet() as found:
        here = store_id(found.context.store, socket.gethostname())
    _put(one, time.time() + 25, store=here)
    assert one.sync().exit is Exit.OK


def test_a_copy_of_the_state_folder_on_another_host_is_kept_out(hosts: tuple[ZoneSite, ZoneSite]) -> None:
    one, _ = hosts
    with one.fleet() as found:
        there = store_id(found.context.store, "standby")
    _put(one, time.time() + 25, store=there)
    assert one.sync().exit is Exit.LOCKED


@pytest.mark.parametrize("odd", [b"", b"\xff\x00", b"ZZ", b"77777777 "])
def test_a_lease_can_be_read_by_others_whatever_the_store_remembers(
    hosts: tuple[ZoneSite, ZoneSite], odd: bytes
) -> None:
    one, two = hosts
    with one.fleet() as found:
        found.context.store.cache.put("store id", odd)
    seen: list[int] = []

    def watch(step: Progress) -> None:
        if step.name == "applied":
            seen.append(two.multiall("dns", "sync", "--yes").exit)

    two.down("web1")
    assert one.sync(watch=watch).exit is Exit.OK
    assert seen == [5]


def test_another_owner_is_not_kept_out(hosts: tuple[ZoneSite, ZoneSite]) -> None:
    one, two = hosts
    two.more, two.names = {"owner": "office"}, ({"name": "api", "ttl": 30},)
    two.write()
    _put(one, time.time() + 25)
    assert two.sync().exit is Exit.OK


def test_of_two_that_begin_at_once_one_writes(hosts: tuple[ZoneSite, ZoneSite]) -> None:
    """The second reads before the first has written: its message is refused by what it demands of the lease."""
    one, two = hosts
    codes: list[Exit] = []

    def confirm(plan: object) -> bool:
        if not codes:
            codes.append(Exit.OK)
            _put(two, time.time() + 25)
        return True

    assert one.sync(confirm=confirm).exit is Exit.LOCKED
    assert one.told()[0] == set()


def test_where_the_key_may_not_write_a_lease_names_are_written_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DNS_SECRET", SECRET)
    with servers(tmp_path / "named", {"own.test": ""}, secondaries=0) as made:
        site = ZoneSite(tmp_path / "site", made, "own.test")
        site.write()
        primary = made.primary
        primary.end()
        rules = 'grant "multiall" name www.own.test. A; grant "multiall" name _multiall-a.www.own.test. TXT;'
        primary.zones = {k: v.replace('grant "multiall" zonesub ANY;', rules) for k, v in primary.zones.items()}
        primary.start()
        primary.wait()
        site.up()
        assert site.sync().exit is Exit.OK
        assert site.told()[0] == at(1, 2, 3)
        doctor = site.multiall("dns", "doctor")
        assert "does not keep a second admin host out" in " ".join(doctor.out.split())


def test_a_lease_lasts_as_long_as_all_servers_may_take(hosts: tuple[ZoneSite, ZoneSite]) -> None:
    zone = hosts[0].servers.zone(hosts[0].zone)
    assert lasts(replace(zone, within=7.0)) == 27.0
    assert DnsServers(lambda secret: SECRET, 1.0, nullcontext).read(replace(zone, key=zone.key)).serial >= 1


def test_a_run_without_a_change_is_one_query(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the server's own log has it: no lease, no transfer, no update."""
    monkeypatch.setenv("DNS_SECRET", SECRET)
    with servers(tmp_path / "named", {"own.test": ""}, secondaries=0, options="querylog yes;") as made:
        site = ZoneSite(tmp_path / "site", made, "own.test")
        site.write()
        site.up()
        log = made.primary.folder / "log"
        for _ in range(2):  # the change, and the look that finds nothing more to do
            assert site.sync().exit is Exit.OK
        before = len(log.read_text().splitlines())
        assert site.sync().changed == 0
        lines = log.read_text().splitlines()[before:]
        assert [line.partition("query: ")[2].split()[2] for line in lines if "query: " in line] == ["SOA"]
        assert not [line for line in lines if "updat" in line or "transfer" in line], lines
