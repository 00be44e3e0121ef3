"""`pool plan` and `pool sync --plan` hold a pool's files and names together: real files, real BIND 9."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from multiall_cli.domain.exits import Exit
from multiall_cli.engine.sync import SyncOptions
from tests.fixtures.bind9 import NAMED, SECRET, Servers, ports, servers
from tests.fixtures.zone_site import ZoneSite, at

pytestmark = pytest.mark.skipif(NAMED is None, reason="there is no named: install bind9")


@pytest.fixture(scope="module")
def named(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    zones = {f"p{number}.test": "" for number in range(20)}
    with servers(tmp_path_factory.mktemp("named"), zones, secondaries=0) as made:
        yield made


_numbers = iter(range(20))


@pytest.fixture
def site(named: Servers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ZoneSite:
    """Its pool has one member, this host, and a tree of one file."""
    monkeypatch.setenv("DNS_SECRET", SECRET)
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "a.txt").write_text("release 1\n")
    made = ZoneSite(tmp_path / "site", named, f"p{next(_numbers)}.test")
    made.members = {"web1": {"transport": "local", "public": ["192.0.2.1"]}, "web2": {"address": "192.0.2.2"}}
    tree = {"path": str(tmp_path / "there"), "source": str(tmp_path / "source"), "delete": True}
    made.pool = {"members": "web1", "files": [tree], "dns": [{"zone": made.zone, "name": "www", "ttl": 30}]}
    made.write()
    made.up("web[1-2]")
    return made


def _there(site: ZoneSite) -> str:
    file = site.folder.parent / "there" / "a.txt"
    return file.read_text() if file.exists() else ""


def _change_names(site: ZoneSite) -> None:
    pool: dict[str, Any] = dict(site.pool)
    site.pool = {**pool, "dns": [*pool["dns"], {"zone": site.zone, "name": "api", "ttl": 30}]}
    site.write()


def _plan(site: ZoneSite) -> str:
    return str(site.multiall("pool", "plan", "web", "--json").json()["id"])


def test_a_plan_has_one_id_and_holds_for_both(site: ZoneSite) -> None:
    shown = site.multiall("pool", "plan", "web")
    assert shown.exit == 10
    assert re.findall(r"plan ([0-9a-f]{12})", shown.out) == [_plan(site)]
    done = site.multiall("pool", "sync", "web", "--plan", _plan(site), "--yes")
    assert done.exit == 0, done
    assert (_there(site), site.told()[0]) == ("release 1\n", at(1))


def test_names_that_changed_since_stop_the_files_too(site: ZoneSite) -> None:
    before = _plan(site)
    _change_names(site)
    done = site.multiall("pool", "sync", "web", "--plan", before, "--yes")
    assert done.exit == 4
    assert f"the plan is now {_plan(site)}, not {before}" in done.err
    assert (_there(site), site.told()[0]) == ("", set())


def test_files_that_changed_since_stop_the_names_too(site: ZoneSite) -> None:
    before = _plan(site)
    (site.folder.parent / "source" / "a.txt").write_text("release 2\n")
    assert site.multiall("pool", "sync", "web", "--plan", before, "--yes").exit == 4
    assert (_there(site), site.told()[0]) == ("", set())


def test_a_plan_of_names_alone_holds_too(site: ZoneSite) -> None:
    site.pool = {key: value for key, value in site.pool.items() if key != "files"}
    site.write()
    before = _plan(site)
    assert f"web: plan {before}" in site.multiall("pool", "plan", "web").out
    _change_names(site)
    assert site.multiall("pool", "sync", "web", "--plan", before, "--yes").exit == 4
    assert site.told()[0] == set()
    assert site.multiall("pool", "sync", "web", "--plan", _plan(site), "--yes").exit == 0
    assert site.told("api")[0] == at(1)


def test_a_zone_that_cannot_be_read_is_no_plan_that_holds(site: ZoneSite) -> None:
    before = _plan(site)
    site.servers.primary.freeze()
    try:
        done = site.multiall("pool", "sync", "web", "--plan", before, "--yes", "--timeout", "0.3")
    finally:
        site.servers.primary.thaw()
    assert done.exit == 4, done
    assert _there(site) == ""


def test_nothing_changes_where_the_plan_is_not_confirmed(site: ZoneSite) -> None:
    with site.fleet() as found:
        done = found.pools.sync("web", SyncOptions(confirm=lambda plan: False))
    assert (done.exit, done.stopped) == (Exit.REFUSED, "not confirmed; nothing was changed")
    assert (_there(site), site.told()[0]) == ("", set())


def test_names_stay_where_the_files_stopped(site: ZoneSite) -> None:
    """One member of two is away, and no more than none may fail."""
    closed = {"address": "127.0.0.1", "public": ["192.0.2.2"], "ssh": {"port": ports(1)[0]}}
    site.members = {**site.members, "web2": closed}
    site.pool = {**site.pool, "members": "web[1-2]", "rollout": {"max_fail": 0}}
    site.write()
    done = site.multiall("pool", "sync", "web", "--yes")
    assert (done.exit, "left alone, since the sync of its members stopped" in done.out) == (3, True), done
    assert (_there(site), site.told()[0]) == ("", set())


def test_names_stay_where_files_are_refused(site: ZoneSite) -> None:
    site.multiall("pool", "sync", "web", "--yes")
    source = site.folder.parent / "source"
    (source / "a.txt").unlink()
    (source / "b.txt").write_text("b")
    for number in range(12):
        (site.folder.parent / "there" / f"{number}").write_text("x")
    _change_names(site)
    refused = site.multiall("pool", "sync", "web", "--yes")
    assert refused.exit == 4
    assert "--force-guard files.deletions" in refused.err
    assert site.told("api")[0] == set()


def test_a_guard_lets_only_its_own_part_pass(site: ZoneSite) -> None:
    site.pool = {
        **site.pool,
        "dns": [{"zone": site.zone, "name": name, "ttl": 30} for name in ("www", "api", "m")],
        "members": ["web1"],
    }
    site.more = {"at_most": 1}
    site.write()
    for number in range(12):
        (site.folder.parent / "source" / f"{number}").write_text("old")
    assert site.multiall("pool", "sync", "web", "--yes").exit == 0
    for number in range(12):
        (site.folder.parent / "source" / f"{number}").write_text("new")
    refused = site.multiall("pool", "sync", "web", "--yes", "--force-guard", "zones.changes")
    assert (refused.exit, "--force-guard files.changes" in refused.err) == (4, True), refused
    unclear = site.multiall("pool", "sync", "web", "--yes", "--force-guard", "changes")
    assert (unclear.exit, "write files.changes or write zones.changes" in unclear.err) == (2, True), unclear
    assert site.multiall("pool", "sync", "web", "--yes", "--force-guard", "files.changes").exit == 0


def test_names_are_in_the_diff_and_in_the_status_of_their_pool(site: ZoneSite) -> None:
    shown = site.multiall("pool", "diff", "web")
    assert (shown.exit, f"www.{site.zone} A" in shown.out, "+ 30 192.0.2.1" in shown.out) == (10, True, True), shown
    assert site.multiall("pool", "sync", "web", "--yes").exit == 0
    told = site.multiall("pool", "status", "web", "--json").json()
    assert [(each["server"], each["result"]["state"]) for each in told["services"]] == [(site.zone, "changed")]


def test_one_run_changes_files_and_names(site: ZoneSite) -> None:
    """It is in the history of the pool and of the zone, and can be undone there."""
    assert site.multiall("pool", "sync", "web", "--yes").exit == 0
    runs = site.multiall("journal", "list", "-o", "name").out.split()
    assert site.multiall("dns", "history", "-o", "name").out.split() == runs
    with site.fleet() as found:
        entries = found.context.store.journal.entries(runs[0])
    assert {each.agent.partition(":")[0] for each in entries} == {"files", "zones"}
    assert site.multiall("pool", "sync", "web", "--yes").exit == 0
    assert site.multiall("journal", "list", "-o", "name").out.split() == runs, "nothing to do is no run"
    assert site.multiall("dns", "rollback", runs[0], "--yes").exit == 0
    assert (_there(site), site.told()[0]) == ("release 1\n", set())


def test_a_plan_shows_what_a_sync_would_refuse_and_takes_the_same_guards(site: ZoneSite) -> None:
    names = [{"zone": site.zone, "name": name, "ttl": 30} for name in ("www", "api", "m")]
    site.pool = {**site.pool, "dns": names}
    site.write()
    assert site.multiall("pool", "sync", "web", "--yes").exit == 0
    site.pool = {**site.pool, "dns": names[:1]}
    site.more = {"at_most": 1}
    site.write()
    shown = site.multiall("pool", "plan", "web")
    assert (shown.exit, "a sync is refused without --force-guard zones.changes" in " ".join(shown.out.split())) == (
        10,
        True,
    ), shown
    refused = site.multiall("pool", "sync", "web", "--yes")
    assert (refused.exit, "--force-guard zones.changes" in refused.err) == (4, True), refused
    opened = site.multiall("pool", "plan", "web", "--force-guard", "zones.changes")
    assert (opened.exit, "refused" in opened.out) == (10, False), opened
    assert site.multiall("pool", "sync", "web", "--yes", "--force-guard", "zones.changes").exit == 0
    (newest, *_) = site.multiall("journal", "list", "--json").json()["runs"]
    assert newest["verb"] == "sync --force-guard zones.changes"


def test_only_some_members_change_only_their_place_in_names(site: ZoneSite) -> None:
    """Another declared name, and another time to live, wait for a sync of the whole pool."""
    site.members = {f"web{at}": {"transport": "local", "public": [f"192.0.2.{at}"]} for at in (1, 2)}
    site.pool = {**site.pool, "members": "web[1-2]", "files": []}
    site.write()
    assert site.multiall("pool", "sync", "web", "--yes").exit == 0
    site.down("web[1-2]")
    site.pool = {**site.pool, "dns": [{"zone": site.zone, "name": name, "ttl": 99} for name in ("www", "api")]}
    site.write()
    assert site.multiall("pool", "sync", "web", "--only", "web2", "--yes").exit == 0
    assert (site.told()[0], site.told("api")[0]) == (at(1), set())
    assert "30 192.0.2.1" in site.multiall("dns", "explain", f"www.{site.zone}").out


def test_names_wait_for_their_primary_and_the_files_do_not(site: ZoneSite) -> None:
    site.servers.primary.freeze()
    try:
        done = site.multiall("pool", "sync", "web", "--yes", "--timeout", "0.3")
    finally:
        site.servers.primary.thaw()
    assert (done.exit, _there(site)) == (3, "release 1\n"), done
    assert site.multiall("pool", "status", "web").exit == 3
    assert site.multiall("pool", "sync", "web", "--yes").exit == 0
    assert site.told()[0] == at(1)
    assert site.multiall("pool", "status", "web").exit == 0, "it was delivered"


def test_a_batch_that_fails_whole_leaves_names_alone(site: ZoneSite) -> None:
    """The last one too: there is no next batch that it could stop."""
    (site.folder.parent / "there").write_text("a file where a folder is to be")
    site.pool = {**site.pool, "rollout": {"max_fail": 0}}
    site.write()
    done = site.multiall("pool", "sync", "web", "--yes")
    assert (done.exit, site.told()[0]) == (3, set()), done
