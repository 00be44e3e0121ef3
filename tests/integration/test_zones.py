"""Names that follow what is said of members, on real BIND 9: a primary and two secondaries."""

import itertools
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, nullcontext
from dataclasses import replace
from ipaddress import IPv4Address, ip_address
from pathlib import Path
from types import SimpleNamespace

import pytest

from multiall_cli.adapters.dns.servers import DnsServers
from multiall_cli.agents.zones.plan import marker_of
from multiall_cli.domain.change import Change
from multiall_cli.domain.errors import MemberFault, Unreachable
from multiall_cli.domain.exits import Exit
from multiall_cli.domain.records import RRset, ZonePlan, key_of
from multiall_cli.domain.run import Progress
from multiall_cli.domain.topology import DowntimeKind
from multiall_cli.domain.values import Secret
from multiall_cli.domain.zones import Key, NameServer
from multiall_cli.engine.sync import SyncOptions
from multiall_cli.fleet.nouns.zones import Zones
from multiall_cli.planning.zones.ownership import OwnershipRecord, digest
from tests.fixtures.bind9 import NAMED, SECRET, ZONE, Named, Servers, ports, servers
from tests.fixtures.contexts import WithNameServers
from tests.fixtures.zone_site import ZoneSite, at, drains
from tests.limits import HANG

pytestmark = pytest.mark.skipif(NAMED is None, reason="there is no named: install bind9")

ZONES = 80  # more than there are tests that take one
INSIDE = "YW5vdGhlciBzZWNyZXQgb2YgdGhlIHRlc3RzLCBpbnNpZGU="
ROOT = Path(__file__).parents[2]
_numbers = itertools.count()


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    """For tests that break no server: each takes a zone of its own."""
    zones = {f"z{number}.test": "" for number in range(ZONES)}
    with servers(tmp_path_factory.mktemp("named"), zones) as made:
        yield made


@pytest.fixture
def site(shared: Servers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ZoneSite:
    monkeypatch.setenv("DNS_SECRET", SECRET)
    made = ZoneSite(tmp_path / "site", shared, f"z{next(_numbers)}.test")
    made.write()
    return made


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ZoneSite]:
    """With servers of its own, that a test may break."""
    monkeypatch.setenv("DNS_SECRET", SECRET)
    with servers(tmp_path / "named", {"own.test": ""}) as made:
        site = ZoneSite(tmp_path / "site", made, "own.test", settings="timeout: 1s\n")  # of servers that hang
        site.write()
        yield site


@pytest.fixture
def dns(monkeypatch: pytest.MonkeyPatch) -> DnsServers:
    monkeypatch.setenv("DNS_SECRET", SECRET)
    return DnsServers(lambda secret: os.environ[secret.name], 3.0, nullcontext)


# --- the happy way ------------------------------------------------------------------------------------------------


def test_names_follow_what_is_said_of_members(site: ZoneSite) -> None:
    site.up()
    assert site.sync().exit is Exit.OK
    assert site.told() == [at(1, 2, 3)] * 3
    site.say("web2", DowntimeKind.DRAIN)
    report = site.sync()
    assert site.told() == [at(1, 3)] * 3
    assert [each.lag is not None and not each.trouble for each in report.servers] == [True] * 3
    assert 0 < report.until - time.time() <= 31
    site.up("web2")
    site.sync()
    assert site.told() == [at(1, 2, 3)] * 3


def test_a_second_sync_changes_nothing_and_moves_no_serial(site: ZoneSite) -> None:
    site.up()
    site.sync()
    before = site.serials()
    assert [site.sync().changed for _ in range(3)] == [0, 0, 0]
    assert site.serials() == before


def test_all_kinds_of_records(site: ZoneSite) -> None:
    site.members = {
        "web1": {"address": "192.0.2.1", "public": ["192.0.2.1", "2001:db8::1"]},
        "web[2-3]": {"address": "192.0.2.[2-3]"},
    }
    site.write(
        {"name": "www", "ttl": "5m"},
        {"name": "api", "service": "_https._tcp", "port": 443, "weights": {"web1": 90}},
        {"name": "m", "cname": True},
        {"name": "*.apps"},
        {"name": "@"},
    )
    site.up()
    assert site.sync().exit is Exit.OK
    assert site.told("www", "AAAA") == [{"2001:db8::1"}] * 3
    host = f"web1.{site.zone}."
    assert f"0 90 443 {host}" in site.told("_https._tcp.api", "SRV")[2]
    assert site.told("m", "CNAME") == [{host}] * 3
    assert site.told("whatever.apps") == [at(1, 2, 3)] * 3
    assert site.servers.primary.lookup(site.zone) == at(1, 2, 3)
    site.down("web1")
    site.sync()
    assert site.told("m", "CNAME") == [{f"web2.{site.zone}."}] * 3
    assert site.told("www", "AAAA") == [{"2001:db8::1"}] * 3, "its floor: the only one of its family"
    assert site.told("web1") == [at(1)] * 3, "a member's own name stays"


def test_the_command_line(site: ZoneSite) -> None:
    site.up()
    planned = site.multiall("dns", "plan")
    assert planned.exit == 10
    assert f"create www.{site.zone} A  30 192.0.2.1, 192.0.2.2, 192.0.2.3" in planned.out
    assert site.multiall("dns", "sync").exit == 2, "no one can answer"
    plan = json.loads(site.multiall("dns", "plan", "--json").out)["zones"][0]["plan"]["id"]
    assert site.multiall("dns", "sync", "--plan", "0123", "--yes").exit == 4
    done = site.multiall("dns", "sync", "--plan", plan, "--yes")
    assert done.exit == 0
    assert "on 3 of 3 servers" in done.out
    assert site.multiall("dns", "sync", "--yes", "--quiet").out == ""
    assert site.multiall("dns", "plan", "-q").exit == 0
    assert site.multiall("dns", "drift").exit == 0
    assert site.multiall("dns", "status").out.count("ok") == 3
    shown = site.multiall("dns", "show", "--json").json()
    assert shown["names"][0]["wanted"]["values"] == sorted(at(1, 2, 3))
    told = site.multiall("dns", "explain", "www").out
    assert "web1 (192.0.2.1): in, because pinned up: said by a test" in told
    assert site.multiall("dns", "explain", f"wwww.{site.zone}").err.count(f"did you mean www.{site.zone}?") == 1
    assert site.multiall("dns", "plan", "nowhere.test").exit == 2
    run = site.multiall("dns", "history", "-o", "name").out.split()[0]
    assert site.multiall("journal", "show", run).out.count("www") == 1
    site.say("web3", DowntimeKind.MAINTENANCE)
    assert site.multiall("dns", "sync", "--yes").exit == 0
    assert site.multiall("dns", "wait", "web3", "--within", "1s").exit == 3
    in_service = site.multiall("dns", "wait", "web1")
    assert (in_service.exit, "which is not to leave" in in_service.out) == (3, True)
    assert "192.0.2.3" in site.multiall("dns", "status").out


def test_a_zone_alone_makes_a_pool(site: ZoneSite) -> None:
    """`pool plan` and `pool sync` have the names of a pool too, and no other pool's."""
    site.up()
    assert site.multiall("pool", "plan", "web").exit == 10
    assert site.multiall("pool", "sync", "web", "--yes").exit == 0
    assert site.told() == [at(1, 2, 3)] * 3
    assert site.multiall("pool", "sync", "web", "--yes", "--quiet").out == ""


def test_what_is_planned_lowers_the_ttl_in_time(site: ZoneSite) -> None:
    site.write({"name": "www", "ttl": "1h"})
    site.up()
    site.sync()
    site.say("web1", DowntimeKind.DRAIN, begins=1800.0)
    plan = site.sync().plan
    assert [(each.before.ttl, each.after.ttl) for each in plan.changes if each.before and each.after] == [(3600, 60)]
    assert site.told() == [at(1, 2, 3)] * 3


def test_rollback(site: ZoneSite) -> None:
    site.up()
    site.sync()
    site.down("web1")
    run = site.sync().run
    assert site.told() == [at(2, 3)] * 3
    assert site.multiall("dns", "rollback", run, "--yes").exit == 0
    assert site.told() == [at(1, 2, 3)] * 3
    again = site.multiall("dns", "rollback", run, "--yes")
    assert again.exit == 4
    assert "no longer as run" in again.out
    assert site.multiall("dns", "rollback", "19990101", "--yes").exit == 2


# --- floors -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("floor", "left"),
    [
        ({}, at(1, 2, 3)),
        ({"below_minimum": "all"}, at(1, 2, 3)),
        ({"below_minimum": "fallback", "fallback": ["192.0.2.99"]}, at(99)),
        ({"below_minimum": "empty"}, set()),
        ({"at_least": 2}, at(1, 2, 3)),
    ],
)
def test_when_no_member_is_left(site: ZoneSite, floor: dict[str, object], left: set[str]) -> None:
    site.write({"name": "www", **floor})
    site.up()
    site.sync()
    site.down("web[1-3]")
    assert site.sync().exit is Exit.OK
    assert site.told() == [left] * 3
    site.up("web1")
    site.sync()
    assert at(1) <= site.told()[0]


def test_before_any_scan_nothing_is_given_and_nothing_taken(site: ZoneSite) -> None:
    report = site.sync()
    assert report.changed == 0
    assert "0 of 3 members can serve" in report.plan.notes[0]
    site.up()
    site.sync()
    site.say("web[1-3]", None)
    assert site.sync().changed == 0
    assert site.told() == [at(1, 2, 3)] * 3


def test_who_is_in_stays_in_when_its_records_change_while_nothing_is_known(site: ZoneSite) -> None:
    served = {"name": "www", "service": "_http._tcp", "below_minimum": "empty"}
    site.write({**served, "port": 80})
    site.up()
    site.sync()
    site.down("web3")
    site.sync()
    site.say("web[1-3]", None)
    site.members = {"web[1-3]": {"address": "192.0.2.[1-3]", "public": "192.0.2.[4-6]"}}
    site.write({**served, "port": 81})
    report = site.sync()
    assert report.exit is Exit.OK
    assert site.told("www") == [at(4, 5)] * 3, "web3 was out, and stays so"
    wanted = {f"0 10 81 web{number}.{site.zone}." for number in (1, 2)}
    assert site.told("_http._tcp.www", "SRV") == [wanted] * 3


def test_too_many_losses_are_stopped(site: ZoneSite) -> None:
    site.more = {"at_most": 1}
    site.write({"name": "www"}, {"name": "api"}, {"name": "m"})
    site.up()
    site.sync()
    site.down("web1,web2")
    assert "a sync is refused without --force-guard zones.changes" in site.multiall("dns", "plan").out
    stopped = site.multiall("dns", "sync", "--yes")
    assert stopped.exit == 4
    assert "--force-guard zones.changes" in stopped.out
    assert site.told() == [at(1, 2, 3)] * 3
    assert site.multiall("dns", "sync", "--yes", "--force-guard", "changes").exit == 0
    assert site.told() == [at(3)] * 3
    assert site.multiall("dns", "sync", "--yes", "--force-guard", "chnages").exit == 2


def test_a_server_with_many_names_that_dies_leaves_all_of_them(site: ZoneSite) -> None:
    site.write(*({"name": f"app{number}"} for number in range(30)))
    site.up()
    site.sync()
    for gone, left in (("web1", at(2, 3)), ("web2", at(3))):
        site.down(gone)
        report = site.sync()
        assert (report.exit, report.changed) == (Exit.OK, 30), "one after the other, within the hour too"
        assert site.told("app29") == [left] * 3


def test_a_zone_of_which_nothing_of_ours_would_stay(site: ZoneSite) -> None:
    site.write({"name": "www"}, {"name": "api"})
    site.up()
    site.sync()
    site.write({"name": "new"})
    assert "all 2 of our names would be removed" in site.sync().stopped, "whatever comes instead: another site's?"
    site.pool = {"dns": []}
    site.write()
    assert "all 2 of our names would be removed" in site.sync().stopped
    assert site.told() == [at(1, 2, 3)] * 3
    assert site.sync(open_guards=frozenset({"zones.empties"})).exit is Exit.OK
    assert site.told() == [set()] * 3


def test_the_history_of_a_pool_has_its_names(site: ZoneSite) -> None:
    """Whichever command changed them."""
    site.up()
    site.sync()
    (run,) = site.multiall("journal", "list", "--pool", "web", "--json").json()["runs"]
    assert [(each["kind"], each["name"]) for each in run["scopes"]] == [("zone", site.zone), ("pool", "web")]
    assert run["verb"] == "dns sync"


def test_losing_the_cache_decides_nothing_otherwise(site: ZoneSite) -> None:
    """Names declared once, members' former places and what clients may hold are no cache: all are known without it."""
    site.write({"name": "www"}, {"name": "api"})
    site.up()
    site.sync()
    site.sync()
    site.members = {"web1": {"address": "192.0.2.9"}, "web[2-3]": {"address": "192.0.2.[2-3]"}}
    site.write({"name": "www"})
    before = site.multiall("dns", "plan", "--json").json()
    with closing(sqlite3.connect(site.folder / "state" / "state.sqlite")) as raw, raw:
        assert raw.execute("DELETE FROM cache").rowcount > 0
    after = site.multiall("dns", "plan", "--json").json()
    assert after["zones"][0]["plan"]["id"] == before["zones"][0]["plan"]["id"]
    assert after["zones"][0]["plan"]["changes"] == before["zones"][0]["plan"]["changes"] != []


# --- other writers ------------------------------------------------------------------------------------------------


def test_two_sites_that_write_as_one_do_not_take_each_others_names_out(site: ZoneSite, tmp_path: Path) -> None:
    """Both are `owner: multiall`, as nothing else is said."""
    other = ZoneSite(tmp_path / "other", site.servers, site.zone, names=[{"name": "api"}])
    other.write()
    for each in (site, other):
        each.up()
        each.sync()
    told = other.sync()
    assert told.exit is Exit.REFUSED
    assert "nothing declares it, nor did here before" in str(told.plan.conflicts)
    assert other.told("www") == other.told("api") == [at(1, 2, 3)] * 3
    other.down("web1")
    assert other.sync().changed == 1, "its own names follow all the same"
    assert (site.told("www"), site.told("api")) == ([at(1, 2, 3)] * 3, [at(2, 3)] * 3)
    assert other.sync(open_guards=frozenset({"zones.unseen"})).exit is Exit.OK
    assert other.told("www") == [set()] * 3


def test_a_site_whose_store_is_lost_knows_its_names_again(site: ZoneSite) -> None:
    site.write({"name": "www"}, {"name": "api"})
    site.up()
    site.sync()
    shutil.rmtree(site.folder / "state")
    site.up()
    site.sync()
    site.write({"name": "api"})
    assert (site.sync().exit, site.told("www")) == (Exit.OK, [set()] * 3)


def test_what_others_made_is_not_touched_and_can_be_adopted(site: ZoneSite) -> None:
    site.other("www", "192.0.2.77", ttl=3600)
    site.other("mail", "192.0.2.78")
    site.up()
    report = site.sync()
    assert report.exit is Exit.REFUSED
    assert "bears no mark: 3600 192.0.2.77" in str(report.plan.conflicts[0])
    assert site.told()[0] == {"192.0.2.77"}
    assert site.multiall("dns", "adopt", f"mail.{site.zone}", "--yes").exit == 2, "no one declares it"
    assert site.multiall("dns", "adopt", f"www.{site.zone}", "--yes").exit == 0
    assert site.told() == [{"192.0.2.77"}] * 3, "taken over as it is"
    assert site.sync().exit is Exit.OK
    assert site.told() == [at(1, 2, 3)] * 3
    assert site.told("mail") == [{"192.0.2.78"}] * 3


def test_a_changed_owner_takes_its_names_over(site: ZoneSite) -> None:
    site.write({"name": "www"}, {"name": "api"})
    site.up()
    site.sync()
    site.more = {"owner": "office"}
    site.write()
    report = site.sync()
    assert report.exit is Exit.REFUSED
    assert "`multiall dns adopt www." in str(report.plan.conflicts[-1])
    assert "--from-owner multiall` takes it over" in str(report.plan.conflicts[-1])
    refused = site.multiall("dns", "adopt", f"www.{site.zone}", "--yes")
    assert (refused.exit, "add `--from-owner multiall`" in refused.out) == (4, True), refused
    assert site.multiall("dns", "adopt", "--yes").exit == 2
    other = site.multiall("dns", "adopt", "--from-owner", "nobody", "--yes")
    assert (other.exit, site.sync().exit) == (0, Exit.REFUSED), "no name bears that mark"
    assert site.multiall("dns", "adopt", "--from-owner", "multiall", "--yes").exit == 0
    assert site.sync().exit is Exit.OK
    site.down("web1")
    site.sync()
    assert (site.told("www"), site.told("api")) == ([at(2, 3)] * 3, [at(2, 3)] * 3)


def test_what_a_hand_edited_is_a_conflict(site: ZoneSite) -> None:
    site.up()
    site.sync()
    site.other("www", "192.0.2.50")
    report = site.sync()
    assert report.exit is Exit.REFUSED
    assert "someone has edited it since we wrote it" in str(report.plan.conflicts[0])
    assert site.multiall("dns", "drift").exit == 10
    assert site.told()[0] == at(1, 2, 3, 50)
    site.multiall("dns", "adopt", "www", "A", "--yes")
    site.sync()
    assert site.told() == [at(1, 2, 3)] * 3


def test_a_hand_between_the_plan_and_its_doing(site: ZoneSite) -> None:
    site.up()
    site.sync()
    site.down("web1")

    def meanwhile(plan: ZonePlan) -> bool:
        site.other("www", "192.0.2.50")
        return True

    report = site.sync(confirm=meanwhile)
    assert report.exit is Exit.REFUSED
    assert site.told()[0] == at(1, 2, 3, 50)
    assert "edited" in str(report.plan.conflicts[0])


def test_a_foreign_name_between_the_plan_and_its_doing_matters_not(site: ZoneSite) -> None:
    site.up()
    site.sync()
    site.down("web1")

    def meanwhile(plan: ZonePlan) -> bool:
        site.other("other", "192.0.2.50")
        return True

    assert site.sync(confirm=meanwhile).exit is Exit.OK
    assert site.told() == [at(2, 3)] * 3
    assert site.told("other")[0] == at(50)


def test_another_ttl_is_ours_to_mend_and_no_update_is_lost(site: ZoneSite) -> None:
    """No prerequisite asks for a TTL: the whole zone must be as it was read."""
    site.up()
    site.sync()
    site.write({"name": "www", "ttl": 45})
    times = []

    def meanwhile(plan: ZonePlan) -> bool:
        site.other("other", "192.0.2.50")
        times.append(plan)
        return True

    report = site.sync(confirm=meanwhile)
    assert report.exit is Exit.OK
    assert [each.after.ttl for each in report.plan.changes if each.after] == [45]
    assert len(times) == 1, "it is asked once"


def test_more_ttls_than_a_message_has_room_for(site: ZoneSite) -> None:
    """The first message moves the serial that the second one demands: what is left is planned anew."""
    site.write(*({"name": f"n{number}", "ttl": 60} for number in range(320)))
    site.up()
    assert site.sync().changed == 320
    site.write(*({"name": f"n{number}", "ttl": 90} for number in range(320)))
    report = site.sync()
    assert (report.exit, report.changed, site.sync().changed) == (Exit.OK, 320, 0)
    with site.fleet() as found:
        assert not found.journal.pending().entries
        assert len(found.journal.run(report.run).entries) == 320


def test_views_of_one_zone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each is asked with its own key, and has names of its own."""
    monkeypatch.setenv("DNS_SECRET", SECRET)
    monkeypatch.setenv("IN_SECRET", INSIDE)
    (number,) = ports(1)
    folder = tmp_path / "named"
    made = Named(folder, number, {}, extra=f"""
        key "inside" {{ algorithm hmac-sha256; secret "{INSIDE}"; }};
        view "in" {{ match-clients {{ key inside; }}; zone "own.test" {{ type primary; file "in.zone";
          update-policy {{ grant "inside" zonesub ANY; }}; allow-transfer {{ key "inside"; }}; }}; }};
        view "out" {{ zone "own.test" {{ type primary; file "out.zone";
          update-policy {{ grant multiall zonesub ANY; }}; allow-transfer {{ key multiall; }}; }}; }};""")  # fmt: skip
    folder.mkdir()
    for name in ("in", "out"):
        (folder / f"{name}.zone").write_text(ZONE.format(zone="own.test", more=""))
    made.start()
    try:
        made.zones = {"own.test": ""}
        made.wait()
        site = ZoneSite(tmp_path / "site", Servers(made, []), "own.test")
        site.members = {"web[1-3]": {"address": "10.0.0.[1-3]", "public": "192.0.2.[1-3]"}}
        site.write()
        file = site.folder / "inventory" / "a.yaml"
        told = json.loads(file.read_text())
        key = {"name": "inside", "secret": "${env:IN_SECRET}"}
        told["zones"]["within"] = {**told["zones"]["own.test"], "zone": "own.test", "key": key}
        told["pools"]["web"]["dns"].append({"zone": "within", "name": "www", "inside": True})
        file.write_text(json.dumps(told))
        site.up()
        done = site.multiall("dns", "sync", "--yes")
        assert done.exit == 0, done.out
        assert site.told() == [at(1, 2, 3)]
        inside = site.multiall("dns", "show", "within", "--json").json()["names"][0]
        assert inside["there"]["values"] == ["10.0.0.1", "10.0.0.2", "10.0.0.3"]
        assert site.multiall("dns", "plan").exit == 0
        assert site.multiall("dns", "explain", "www.own.test").out.count("declared by pool web") == 2
    finally:
        made.end()


def test_two_writers_at_one_name_lose_nothing(shared: Servers, dns: DnsServers) -> None:
    """Each adds one to the number that it read; whoever comes second must see what the first one did."""
    zone = shared.zone(f"z{next(_numbers)}.test")
    place = (f"www.{zone.name}", "A")
    refused = []

    def add_one(left: int) -> None:
        while left:
            content = dns.read(zone)
            there, marker = content.rrsets.get(place), marker_of(content, place)
            number = int(ip_address(there.values[0])) if there else 0
            before = RRset(there.ttl, there.values, marker.text) if there and marker else None
            values = (str(IPv4Address(number + 1)),)
            mark = OwnershipRecord("multiall", "web", digest(values), number).text
            if dns.write(zone, [(Change(key_of(place), before, RRset(60, values)), mark)], content.soa).done:
                left -= 1
            else:
                refused.append(number)

    writers = [threading.Thread(target=add_one, args=(500,)) for _ in range(2)]
    for each in writers:
        each.start()
    for each in writers:
        each.join()
    assert int(ip_address(dns.read(zone).rrsets[place].values[0])) == 1000
    assert refused, "they never met"


# --- trouble ------------------------------------------------------------------------------------------------------


def test_a_primary_that_is_away_defers_the_change(own: ZoneSite) -> None:
    own.up()
    own.servers.primary.end()
    report = own.sync()
    assert report.exit is Exit.PARTIAL
    assert "nothing answers on port" in report.stopped
    with own.fleet() as found:
        assert len(found.journal.pending().missed) == 1
    own.servers.primary.start()
    own.servers.primary.wait()
    assert own.sync().exit is Exit.OK
    with own.fleet() as found:
        assert not found.journal.pending().missed
    assert own.told() == [at(1, 2, 3)] * 3


def test_a_secondary_that_hangs_is_told(own: ZoneSite) -> None:
    own.more = {"within": 1}
    own.write()
    own.up()
    own.servers.secondaries[1].freeze()
    report = own.sync()
    assert report.exit is Exit.PARTIAL
    assert [bool(each.trouble) for each in report.servers] == [False, False, True]
    assert "did not answer" in report.servers[2].trouble
    own.servers.secondaries[1].thaw()
    assert own.multiall("dns", "sync", "--yes").exit == 0


def test_a_secondary_that_lags_is_told(own: ZoneSite) -> None:
    """It may not transfer the zone, and so has the old one."""
    own.more = {"within": 1}
    own.write()
    own.servers.secondaries[0].end()
    own.servers.secondaries[0].zones = {
        name: text.replace(f"{own.servers.primary.port}", "1")
        for name, text in own.servers.secondaries[0].zones.items()
    }
    own.servers.secondaries[0].start()
    own.servers.secondaries[0].wait()
    own.up()
    report = own.sync()
    assert "is behind: serial 1, and the primary has 2" in report.servers[1].trouble
    assert own.multiall("dns", "status").exit == 3
    assert own.multiall("dns", "drift").exit == 10


def test_a_run_that_is_killed_between_update_and_verification(own: ZoneSite) -> None:
    own.up()
    code = (
        "import os, signal, sys\n"
        "from tests.fixtures.zone_site import ZoneSite\n"
        "from multiall_cli.fleet import Fleet, FleetOptions\n"
        "from multiall_cli.engine.sync import SyncOptions\n"
        "die = lambda step: step.name == 'applied' and os.kill(os.getpid(), signal.SIGKILL)\n"
        "with Fleet.load(sys.argv[1], FleetOptions(watch=die)) as found:\n"
        "    found.zones.sync('', SyncOptions())\n"
    )
    killed = subprocess.run([sys.executable, "-c", code, str(own.folder)], cwd=ROOT, check=False)
    assert killed.returncode == -signal.SIGKILL
    with own.fleet() as found:
        assert len(found.journal.pending().entries) == 1
    assert own.sync().changed == 0
    with own.fleet() as found:
        assert not found.journal.pending().entries
    assert own.told()[0] == at(1, 2, 3)


def test_a_journal_that_was_deleted(own: ZoneSite) -> None:
    """The primary has forgotten our records, and its secondaries know a newer zone: that is told, not hidden."""
    own.more = {"within": 1}
    own.write()
    own.up()
    for number in (1, 2):
        own.sync()
        own.down(f"web{number}")
    own.sync()
    own.servers.primary.end()
    (own.servers.primary.folder / "own.test.zone.jnl").unlink()
    own.servers.primary.start()
    own.servers.primary.wait()
    own.up()
    report = own.sync()
    assert own.told()[0] == at(1, 2, 3)
    assert report.exit is Exit.PARTIAL
    assert "its serial is" in report.servers[1].trouble or "answers" in report.servers[1].trouble
    assert own.multiall("dns", "status").exit == 3


@pytest.mark.parametrize("policy", ["dnssec-policy default; inline-signing yes;", "dnssec-policy default;"])
def test_a_signed_zone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, policy: str) -> None:
    monkeypatch.setenv("DNS_SECRET", SECRET)
    with servers(tmp_path / "named", {"own.test": ""}, secondaries=1, more=policy) as made:
        site = ZoneSite(tmp_path / "site", made, "own.test", settings="timeout: 1s\n")  # of servers that hang
        site.write({"name": "www"}, {"name": "m", "cname": True})
        site.up()
        assert site.sync().exit is Exit.OK
        assert site.told() == [at(1, 2, 3)] * 2
        assert site.sync().changed == 0
        site.down("web1")
        assert site.sync().exit is Exit.OK
        assert site.told("m", "CNAME") == [{"web2.own.test."}] * 2


def test_a_name_that_is_refused_does_not_hold_up_the_others(own: ZoneSite) -> None:
    primary = own.servers.primary
    primary.end()
    rule = 'deny "multiall" name bad.own.test. ANY; grant "multiall" zonesub ANY'
    primary.zones = {name: text.replace('grant "multiall" zonesub ANY', rule) for name, text in primary.zones.items()}
    primary.start()
    primary.wait()
    own.write({"name": "bad"}, *({"name": f"n{number}"} for number in range(9)))
    own.up()
    report = own.sync()
    assert report.exit is Exit.PARTIAL
    assert [each.subject for each in report.refused] == ["bad.own.test A"]
    assert own.told("n8") == [at(1, 2, 3)] * 3
    own.down("web1")
    assert own.sync().changed == 9
    assert "refuses this host" in own.multiall("dns", "sync", "--yes").out


def test_more_records_than_a_message_holds(site: ZoneSite) -> None:
    site.members = {"web[1-60]": {"address": "192.0.2.[1-60]"}}
    site.pool = {"members": "web[1-60]"}
    site.write(*({"name": f"n{number}"} for number in range(120)))
    site.up("web[1-60]")
    assert site.sync().exit is Exit.OK
    assert site.sync().changed == 0
    site.down("web60")
    assert site.sync(open_guards=frozenset({"zones.changes", "zones.hour"})).changed == 120


def test_an_alias_never_leads_to_a_name_that_is_taken_out(site: ZoneSite) -> None:
    site.write({"name": "m", "cname": True, "members": "web1"})
    site.up()
    site.sync()
    site.say("web[1-3]", None)
    site.write({"name": "m", "cname": True, "members": "web[2-3]"})
    site.sync()
    assert site.told("m", "CNAME") == [{f"web1.{site.zone}."}] * 3
    assert site.told("web1") == [at(1)] * 3
    site.up()
    site.sync()
    assert site.told("m", "CNAME") == [{f"web2.{site.zone}."}] * 3
    assert site.told("web1") == [at(1)] * 3, "clients may hold the alias as it was"


def test_who_left_its_pool_may_still_be_used(site: ZoneSite) -> None:
    site.up()
    site.sync()
    site.write({"name": "www", "ttl": 30, "members": "web[1-2]"})
    site.sync()
    assert site.multiall("dns", "wait", "web3", "--within", "1s").exit == 3
    in_service = site.multiall("dns", "wait", "web1")
    assert (in_service.exit, "which is not to leave" in in_service.out) == (3, True)


def test_what_a_killed_run_took_out_may_still_be_used(site: ZoneSite) -> None:
    site.up()
    site.sync()
    site.down("web3")

    def killed(step: Progress) -> None:
        if step.name == "applied":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        site.sync(watch=killed)
    assert site.told()[0] == at(1, 2)
    assert site.multiall("dns", "wait", "web3", "--within", "1s").exit == 3


def test_a_late_secondary_is_told_again_until_it_has_the_zone(own: ZoneSite) -> None:
    own.more = {"within": 0.2}
    own.write()
    own.up()
    own.servers.secondaries[0].freeze()
    assert own.sync().exit is Exit.PARTIAL
    assert own.sync().exit is Exit.PARTIAL, "it was not forgotten"
    own.servers.secondaries[0].thaw()
    assert own.sync().exit is Exit.OK
    assert own.told() == [at(1, 2, 3)] * 3


def test_what_was_read_before_is_not_sent_again(site: ZoneSite, dns: DnsServers) -> None:
    """A process that reads a zone twice is given the changes."""
    zone = site.servers.zone(site.zone)
    site.other("one", "192.0.2.50")
    first = dns.read(zone)
    site.other("two", "192.0.2.51")
    second = dns.read(zone)
    assert second.rrsets.keys() - first.rrsets.keys() == {(f"two.{zone.name}", "A")}
    assert second == DnsServers(lambda secret: os.environ[secret.name], 3.0, nullcontext).read(zone)
    log = (site.servers.primary.folder / "log").read_text()
    assert f"transfer of '{site.zone}/IN': IXFR started" in log.replace("IXFR-style", "IXFR")


def test_a_zone_that_its_primary_has_lost_is_read_whole(own: ZoneSite, dns: DnsServers) -> None:
    """It was restored under an earlier serial, so the primary has no changes since ours."""
    zone = own.servers.zone(own.zone)
    own.other("one", "192.0.2.50")
    own.other("two", "192.0.2.51")
    later = dns.read(zone)
    restore(own, serial=1)
    found = dns.read(zone)
    assert (found.serial, found.serial < later.serial) == (1, True)
    assert later.rrsets.keys() - found.rrsets.keys() == {(f"{name}.{zone.name}", "A") for name in ("one", "two")}


def restore(site: ZoneSite, serial: int) -> None:
    """The primary as it would be after a restore: the zone's first records, under a serial of choice."""
    primary = site.servers.primary
    primary.end()
    for journal in primary.folder.glob("*.jnl"):
        journal.unlink()
    text = ZONE.format(zone=site.zone, more="").replace(" 1 3600", f" {serial} 3600")
    (primary.folder / f"{site.zone}.zone").write_text(text)
    primary.start()
    primary.wait()


def test_a_zone_that_was_restored_is_seen_by_who_reads_often(own: ZoneSite) -> None:
    """Under the serial that it had: its changes are none, and only the whole of it shows what is gone."""
    own.up()
    own.sync()
    clock = SimpleNamespace(at=0.0)
    often = DnsServers(lambda secret: SECRET, 3.0, nullcontext, lambda: float(clock.at))
    zone, gone = own.servers.zone(own.zone), (f"www.{own.zone}.", "A")
    restore(own, often.read(zone).serial)

    def has_it(at: float) -> bool:
        clock.at = at
        return gone in often.read(zone).rrsets

    assert [has_it(at) for at in (250.0, 500.0, 750.0)] == [True, True, False]


def test_what_the_key_may_not(shared: Servers, dns: DnsServers) -> None:
    zone = shared.zone("z0.test")
    wrong = DnsServers(lambda secret: "d3Jvbmcga2V5IG9mIHRoZSB0ZXN0cw==", 3.0, nullcontext)
    with pytest.raises(MemberFault, match="rejected the TSIG key"):
        wrong.read(zone)
    with pytest.raises(MemberFault, match="refuses this host"):
        dns.read(shared.zone("z0.test", keyed=False))
    with pytest.raises(MemberFault, match="refuses this host"):
        dns.may_update(shared.zone("z0.test", keyed=False), [])
    with pytest.raises(MemberFault, match="does not have"):
        dns.serial(shared.zone("elsewhere.test"), zone.primary)
    with pytest.raises(Unreachable, match="nothing answers"):
        dns.serial(zone, NameServer("gone", "127.0.0.1", 1))
    with pytest.raises(Unreachable, match="nothing answers"):
        dns.read(replace(zone, primary=NameServer("gone", "127.0.0.1", 1)))
    assert Key("a.", "hmac-sha256", Secret("env", "X")).name == "a."
    dns.may_update(zone, [])


def test_a_primary_that_answers_only_who_has_the_key(own: ZoneSite) -> None:
    """A hidden primary: clients never ask it, and it tells them nothing."""
    primary = own.servers.primary
    primary.end()
    primary.zones = {name: f'{text} allow-query {{ key "multiall"; }};' for name, text in primary.zones.items()}
    primary.start()
    primary.wait()
    assert primary.lookup("ns1.own.test") == set(), "it is closed to clients"
    own.up()
    report = own.sync()
    assert report.exit is Exit.OK
    assert all(each.lag is not None for each in report.servers)
    assert own.told()[1:] == [at(1, 2, 3)] * 2
    assert own.sync().changed == 0
    assert own.multiall("dns", "drift").exit == 0
    assert own.multiall("dns", "doctor").exit == 0


def test_while_a_secondary_is_late_clients_may_be_sent_to_who_was_taken_out(own: ZoneSite) -> None:
    own.more = {"within": 0.2}
    own.write({"name": "www", "ttl": 1})
    own.up()
    own.sync()
    frozen = own.servers.secondaries[0]
    frozen.freeze()
    own.down("web1")
    assert own.sync().exit is Exit.PARTIAL
    waited = own.multiall("dns", "wait", "web1", "--within", "2s")
    assert waited.exit == 3
    assert f"a name server of {own.zone} may still give it" in waited.out
    with own.fleet() as found, drains(found) as stage:
        assert "may still give them" in stage.before(["web1"])
    frozen.thaw()
    while own.sync().exit is not Exit.OK:
        pass
    assert own.multiall("dns", "wait", "web1", "--within", "30s").exit == 0
    assert own.told() == [at(2, 3)] * 3


def test_the_journal_has_what_was_done_and_not_what_was_planned_first(site: ZoneSite, tmp_path: Path) -> None:
    """Another host writes between a plan and its doing: the plan is made anew."""
    other = ZoneSite(tmp_path / "other", site.servers, site.zone)
    other.write()
    site.up()
    site.sync()
    site.down("web3")
    other.up("web1,web3")
    other.down("web2")

    def meanwhile(_: object) -> bool:
        return other.sync().changed == 1

    report = site.sync(confirm=meanwhile)
    assert site.told() == [at(1, 2)] * 3
    (entry,) = site.multiall("journal", "show", report.run, "--json").json()["entries"]
    assert (entry["before"], entry["after"]) == ("30 192.0.2.1, 192.0.2.3", "30 192.0.2.1, 192.0.2.2")
    assert site.multiall("--yes", "dns", "rollback", report.run).exit == 0
    assert site.told() == [at(1, 3)] * 3


def test_what_was_done_before_the_primary_died_is_in_the_journal(own: ZoneSite) -> None:
    """Two messages, and it is killed between them."""
    primary = own.servers.primary
    own.write(*({"name": f"n{number}", "ttl": 1} for number in range(200)))
    own.up()
    own.sync()
    own.down("web1")
    before = primary.serial(own.zone)

    @contextmanager
    def dies() -> Iterator[None]:
        """The network context of each message: ends the primary once a message has changed something."""
        if primary.child is not None and primary.serial(own.zone) != before:
            primary.end()
        yield

    with own.fleet() as found:
        dying = WithNameServers(found.context.adapters, DnsServers(lambda secret: SECRET, 3.0, dies))
        (report,) = Zones(replace(found.context, adapters=dying)).sync(own.zone, SyncOptions())
    assert report.exit is Exit.PARTIAL
    primary.start()
    primary.wait()
    changed = sum(primary.lookup(f"n{number}.{own.zone}") == at(2, 3) for number in range(200))
    runs = own.multiall("dns", "history", "--json").json()["runs"]
    entries = [own.multiall("journal", "show", each["id"], "--json").json()["entries"] for each in runs]
    done = [each for found in entries for each in found if (each["stage"], each["action"]) == ("done", "update")]
    assert (0 < changed < 200, len(done)) == (True, changed)


def test_who_is_still_in_a_name_is_waited_for_too(site: ZoneSite) -> None:
    """Drained, and no one has synced since: nothing has been taken out yet."""
    site.write({"name": "www", "ttl": 1})
    site.up()
    site.sync()
    site.say("web2", DowntimeKind.DRAIN)
    for argv in (("web2",), ()):
        waited = site.multiall("dns", "wait", *argv, "--within", "1s")
        assert waited.exit == 3
        assert f"www.{site.zone} A still gives web2" in waited.out
        assert f"www.{site.zone} A still gives web2" in waited.err
    site.sync()
    assert site.multiall("dns", "wait", "web2", "--within", "30s").exit == 0
    assert site.multiall("dns", "wait", "--within", "30s").exit == 0


def test_what_another_run_took_out_meanwhile_is_not_forgotten(own: ZoneSite) -> None:
    """The one that settles a late zone has read what clients may hold before the other one has added to it."""
    own.more = {"within": 0.2}
    own.write({"name": "www", "ttl": 60})
    own.up()
    own.sync()
    own.servers.secondaries[0].freeze()
    own.down("web1")
    assert own.sync().exit is Exit.PARTIAL
    others: list[Exit] = []

    def watch(step: Progress) -> None:
        if step.name == "looked" and not others:
            own.down("web2")
            others.append(own.sync().exit)

    assert (own.sync(watch=watch).changed, others) == (0, [Exit.PARTIAL])
    with own.fleet() as found:
        assert {each.value for each in found.zones.departures()} == at(1, 2)


def test_a_rollout_hears_that_its_members_could_not_be_put_back(own: ZoneSite) -> None:
    own.write({"name": "www", "ttl": 1})
    own.up()
    own.sync()
    own.say("web1", None)
    with own.fleet() as found, drains(found) as stage:
        assert stage.before(["web1"]) == ""
        assert own.told() == [at(2, 3)] * 3
        own.servers.primary.freeze()
        assert "did not answer" in stage.after(["web1"], ["web1"])
        own.servers.primary.thaw()
        own.up("web1")
        assert stage.after(["web1"], ["web1"]) == ""
    assert own.told() == [at(1, 2, 3)] * 3


def test_a_wildcard_answers_for_what_is_gone(site: ZoneSite) -> None:
    """Someone else's, above a name of ours: that is no server that lags."""
    site.other("*", "192.0.2.79")
    site.write({"name": "www"}, {"name": "api"})
    site.up()
    assert site.sync().exit is Exit.OK
    site.write({"name": "api"})
    report = site.sync()
    assert (report.exit, report.changed) == (Exit.OK, 1)
    assert all(each.lag is not None for each in report.servers)
    assert site.told("www") == [at(79)] * 3
    assert site.told("api") == [at(1, 2, 3)] * 3


def test_a_wildcard_of_ours_that_takes_the_place_of_names(site: ZoneSite) -> None:
    site.write({"name": "a"}, {"name": "b"}, {"name": "c"})
    site.up()
    site.sync()
    site.write({"name": "*"}, {"name": "c"})
    report = site.sync()
    assert report.exit is Exit.OK
    assert all(each.lag is not None for each in report.servers)
    assert site.told("a") == site.told("any") == [at(1, 2, 3)] * 3


def test_an_answer_that_says_done_and_did_nothing(shared: Servers, dns: DnsServers, site: ZoneSite) -> None:
    """BIND says NOERROR to an alias beside an address; a plan never asks for that, and a serial that stays is told."""
    site.other("m", "192.0.2.78")
    site.write({"name": "m", "cname": True})
    site.up()
    report = site.sync()
    assert report.exit is Exit.REFUSED
    assert "an alias cannot stand beside the A of this name" in str(report.plan.conflicts)
    assert site.told("m") == [at(78)] * 3


def test_an_alias_makes_room_in_one_message(site: ZoneSite) -> None:
    site.write({"name": "m", "cname": True})
    site.up()
    site.sync()
    site.write({"name": "m"})
    steps: list[Progress] = []
    assert site.sync(watch=steps.append).exit is Exit.OK
    assert site.told("m") == [at(1, 2, 3)] * 3
    assert [step.name for step in steps].count("applied") == 1
    site.write({"name": "m", "cname": True})
    assert site.sync().exit is Exit.OK
    assert site.told("m", "CNAME") == [{f"web1.{site.zone}."}] * 3


def test_the_doctor_names_what_is_missing(own: ZoneSite) -> None:
    assert own.multiall("dns", "doctor").exit == 0
    primary = own.servers.primary
    primary.end()
    primary.zones = {
        name: text.replace("zonesub ANY", "subdomain x.own.test. ANY") for name, text in primary.zones.items()
    }
    primary.start()
    primary.wait()
    told = own.multiall("dns", "doctor")
    assert told.exit == 3
    assert "refuses this host" in told.out
    assert own.serials()[0] == 1, "nothing was changed"
    assert 'update-policy { grant "multiall" zonesub A AAAA CNAME SRV PTR TXT; };' in told.out
    assert SECRET not in told.out


def test_transfers_and_updates_by_keys_of_their_own(own: ZoneSite, tmp_path: Path) -> None:
    """The key's file is as `tsig-keygen` writes it; each key may do its own part, and no more."""
    primary = own.servers.primary
    primary.end()
    primary.extra = f'key "reader" {{ algorithm hmac-sha512; secret "{INSIDE}"; }};'
    before = 'allow-transfer { key "multiall"; };'
    primary.zones = {
        name: text.replace(before, 'allow-transfer { key "reader"; };') for name, text in primary.zones.items()
    }
    primary.start()
    primary.wait()
    own.up()
    assert own.sync().exit is Exit.PARTIAL, "the key of updates may not read"
    (own.folder / "reader.key").write_text(f'key "reader" {{\n\talgorithm hmac-sha512;\n\tsecret "{INSIDE}";\n}};\n')
    own.more = {"within": 0.2, "transfer_key": {"name": "reader", "secret": "${file:./reader.key}"}}
    own.write()
    assert own.sync().changed == 1
    assert own.told()[0] == at(1, 2, 3)
    assert 'allow-transfer { key "reader"; ' in own.multiall("dns", "doctor", "--lines").out


def test_the_doctor_tries_the_names_that_a_sync_would_write(own: ZoneSite) -> None:
    """A policy by name is enough where it grants them, and what it leaves out is named."""
    own.write({"name": "www"}, {"name": "api"})
    primary = own.servers.primary
    before = dict(primary.zones)
    granted = ["www.own.test. A", "_multiall-a.www.own.test. TXT", "api.own.test. A", "_multiall-a.api.own.test. TXT"]
    for left, exit_code in ((granted, 0), (granted[:3], 3)):
        primary.end()
        rules = " ".join(f'grant "multiall" name {each};' for each in left)
        primary.zones = {name: text.replace('grant "multiall" zonesub ANY;', rules) for name, text in before.items()}
        primary.start()
        primary.wait()
        told = own.multiall("dns", "doctor")
        assert (told.exit, own.serials()[0]) == (exit_code, 1), told.out
    assert "refuses _multiall-a.api.own.test TXT" in " ".join(told.out.split())


# --- clients ------------------------------------------------------------------------------------------------------


def test_no_client_ever_gets_nothing_or_who_is_out(site: ZoneSite) -> None:
    """Clients ask all the time while members come and go: never no answer, and no one who is out for long."""
    site.up()
    site.sync()
    ended, passed, empty, wrong = threading.Event(), threading.Event(), [], []
    out: set[str] = set()

    def ask() -> None:
        while not ended.is_set():
            banned = set(out)
            for each in site.servers.all:
                found = each.lookup(f"www.{site.zone}")
                if not found:
                    empty.append(each.port)
                if found & banned:
                    wrong.append(found)
            passed.set()

    def asked_anew() -> None:
        """Until the client has asked all servers once from now on: the pass that it is in began before."""
        for _ in range(2):
            passed.clear()
            assert passed.wait(HANG)

    client = threading.Thread(target=ask)
    client.start()
    for number in (1, 2, 3, 2, 1, 3):
        site.down(f"web{number}")
        report = site.sync()
        assert all(not each.trouble for each in report.servers)
        out.add(f"192.0.2.{number}")
        asked_anew()
        out.clear()
        asked_anew()
        site.up(f"web{number}")
        site.sync()
    ended.set()
    client.join()
    assert not empty
    assert not wrong
