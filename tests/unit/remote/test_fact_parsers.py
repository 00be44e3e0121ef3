"""What gauges make of texts that programs and the kernel write."""

import json

import pytest

from multiall_cli.remote.facts import lvm, raid, zpool
from multiall_cli.remote.facts.container import parse_inspect
from multiall_cli.remote.facts.journal import count_entries
from multiall_cli.remote.facts.ping import parse_ping
from multiall_cli.remote.facts.replication import parse_mysql, parse_postgresql
from multiall_cli.remote.facts.service import service_values, unit_name
from multiall_cli.remote.facts.sources import CollectError, command_error, growth, search
from multiall_cli.remote.facts.timer import timer_values
from multiall_cli.remote.formats.package_tables import parse_dpkg_status
from multiall_cli.remote.ops import service_inventory

MIRROR = """\
Personalities : [raid1] [raid6] [raid5] [raid4] [raid0]
md1 : active raid1 sdb2[1] sda2[0]
      41909248 blocks super 1.2 [2/2] [UU]
      bitmap: 1/1 pages [4KB], 65536KB chunk

md0 : active raid5 sdd1[4] sdc1[2](F) sdb1[1] sda1[0]
      3142656 blocks super 1.2 level 5, 512k chunk, algorithm 2 [4/3] [UU_U]
      [=>...................]  recovery =  8.5% (89344/1047552) finish=1.2min speed=12763K/sec

md3 : active raid0 sdf1[1] sde1[0]
      2093056 blocks super 1.2 512k chunks

md4 : active raid1 sdh1[1] sdg1[0]
      1047552 blocks super 1.2 [2/2] [UU]
      [====>................]  check = 22.1% (231680/1047552) finish=0.1min speed=77226K/sec

unused devices: <none>
"""
HALF = "Personalities : [raid1]\nmd9 : inactive sdz1[0](S)\n      1047552 blocks super 1.2\n\nunused devices: <none>\n"


def test_arrays() -> None:
    assert raid.parse_mdstat(MIRROR, "md1") == {"present": True, "active": True, "degraded": 0, "syncing": False}
    told = raid.parse_mdstat(MIRROR, "md0")
    assert (told["degraded"], told["syncing"], told["why"]) == (1, True, "md0")
    assert raid.parse_mdstat(MIRROR, "md3")["degraded"] == 0
    assert raid.parse_mdstat(MIRROR, "md4")["syncing"] is False  # it is looked at, not rebuilt
    assert raid.parse_mdstat(MIRROR, "md7") == {"present": False}
    assert raid.parse_mdstat(MIRROR)["degraded"] == 1
    assert raid.parse_mdstat("Personalities : \nunused devices: <none>\n") == {"present": False}


def test_an_array_that_does_not_run_has_no_number_of_disks() -> None:
    told = raid.parse_mdstat(HALF, "md9")
    assert told["active"] is False
    assert "degraded" not in told


def test_pools_of_zfs() -> None:
    text = "rpool\tONLINE\t41\ntank\tDEGRADED\t7%\nlost\tFAULTED\t-\n"
    assert zpool.parse_zpool_list(text, "rpool") == {"present": True, "state": "ONLINE", "used": 0.41}
    assert zpool.parse_zpool_list(text, "tank") == {"present": True, "state": "DEGRADED", "used": 0.07}
    assert zpool.parse_zpool_list(text, "lost") == {"present": True, "state": "FAULTED"}
    assert zpool.parse_zpool_list(text, "rpoo") == {"present": False}


def test_volume_groups() -> None:
    text = "  data 107369988096 26842497024 0\n  root  21470642176 0 1\n"
    assert lvm.parse_vgs(text, "data") == {
        "present": True, "used": pytest.approx(0.75), "free": 26842497024.0, "missing": 0,
    }  # fmt: skip
    assert lvm.parse_vgs(text, "root") == {"present": True, "used": 1.0, "free": 0.0, "missing": 1}
    assert lvm.parse_vgs("", "root") == {"present": False}


def test_timers() -> None:
    found = {"LoadState": "loaded", "ActiveState": "active", "LastTriggerUSec": "Tue 2024-01-02 03:04:05 UTC"}
    assert timer_values(found, 1704164645.0 + 60) == {"present": True, "running": True, "last": 60.0}
    # One that never fired, and one that stands in another zone than was asked for.
    assert "last" not in timer_values({**found, "LastTriggerUSec": "n/a"}, 0.0)
    assert "last" not in timer_values({**found, "LastTriggerUSec": "Tue 2024-01-02 03:04:05 CET"}, 0.0)
    assert timer_values({"LoadState": "not-found", "ActiveState": "inactive"}, 0.0) == {
        "present": False,
        "running": False,
    }


def test_containers() -> None:
    state = {"Status": "running", "Running": True, "Health": {"Status": "healthy", "Log": []}}
    assert parse_inspect(json.dumps([{"State": state, "RestartCount": 3}])) == {
        "present": True, "running": True, "health": "healthy", "restarts": 3,
    }  # fmt: skip
    podman = {"Running": False, "Healthcheck": {"Status": "", "FailingStreak": 0}}
    assert parse_inspect(json.dumps([{"State": podman, "RestartCount": 0}])) == {
        "present": True, "running": False, "restarts": 0,
    }  # fmt: skip


def test_packages_of_dpkg() -> None:
    text = (
        "Package: gone\nStatus: deinstall ok config-files\nVersion: 1\n\n"
        "Package: two\nStatus: install ok installed\nDescription: words\n Version: 9\nVersion: 1:2-3\n\n"
    )
    found = parse_dpkg_status(text)
    assert found["two"] == "1:2-3"
    assert "gone" not in found
    assert "tw" not in found


PG = [
    ("0|1|0", "no"), ("0 1 0", {"role": "primary", "running": True, "lag": 0.0}),
    ("1 1 0.250", {"role": "replica", "running": True, "lag": 0.25}),
    ("1 0 ", {"role": "replica", "running": False}), ("", "no"), ("t f 0", "no"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "told"), PG)
def test_what_postgresql_says_of_its_replication(text: str, told: object) -> None:
    if told == "no":
        with pytest.raises(CollectError):
            parse_postgresql(text + "\n")
    else:
        assert parse_postgresql(text + "\n") == told


SLAVE = """\
*************************** 1. row ***************************
               Slave_IO_State: Waiting for master to send event
             Slave_IO_Running: Yes
            Slave_SQL_Running: Yes
        Seconds_Behind_Master: 12
      Slave_SQL_Running_State: Slave has read all relay log
"""


def test_what_mysql_says_of_its_replication() -> None:
    assert parse_mysql(SLAVE) == {"role": "replica", "running": True, "lag": 12.0}
    newer = SLAVE.replace("Slave_", "Replica_").replace("Master", "Source")
    assert parse_mysql(newer) == {"role": "replica", "running": True, "lag": 12.0}
    broken = SLAVE.replace("IO_Running: Yes", "IO_Running: Connecting").replace(": 12", ": NULL")
    assert parse_mysql(broken) == {"role": "replica", "running": False}
    assert parse_mysql(SLAVE + broken) == {"role": "replica", "running": False}
    assert parse_mysql(SLAVE + SLAVE.replace(": 12", ": 40"))["lag"] == 40.0
    with pytest.raises(CollectError):
        parse_mysql("something else\n")


def test_entries_of_the_journal() -> None:
    said = [
        {"__CURSOR": "a", "MESSAGE": "disk failed"}, {"__CURSOR": "b", "MESSAGE": [100, 105, 115, 107, 255]},
        {"__CURSOR": "c", "MESSAGE": None}, {"__CURSOR": "d", "MESSAGE": ["one", "disk"]}, {"__CURSOR": "e"},
    ]  # fmt: skip
    text = "".join(json.dumps(each) + "\n" for each in said)
    assert count_entries(text, None) == (5, "e")
    assert count_entries(text, "disk") == (3, "e")
    assert count_entries(text + '{"__CURSOR": "f", "MESS', None) == (5, "e")
    assert count_entries("", None) == (0, "")


def test_what_ping_prints() -> None:
    iputils = "64 bytes from 192.0.2.1: icmp_seq=1 ttl=64 time=0.420 ms\n"
    busybox = "64 bytes from 192.0.2.1: seq=0 ttl=64 time=1.5 ms\n"
    assert parse_ping(0, iputils, "") == {"open": True, "took": pytest.approx(0.00042)}
    assert parse_ping(0, busybox, "") == {"open": True, "took": 0.0015}
    assert parse_ping(1, "1 packets transmitted, 0 received", "")["open"] is False
    assert parse_ping(2, "", "ping: x: Name or service not known\n")["why"] == "ping: x: Name or service not known"
    with pytest.raises(PermissionError):
        parse_ping(2, "", "ping: socket: Operation not permitted\n")


def test_rights_that_a_program_missed_are_told_as_such() -> None:
    assert isinstance(
        command_error(["vgs"], 5, "  /run/lock/lvm/V_x: open failed: Permission denied\n"), PermissionError
    )
    assert str(command_error(["vgs"], 5, " a\n b\n")) == "vgs exited with 5: a b"
    assert str(command_error(["vgs"], 5, "")) == "vgs exited with 5: no output"


MARK = {"of": "one", "at": 10.0, "counters": [1, 5]}


@pytest.mark.parametrize(
    ("before", "after", "found"),
    [
        (MARK, {"of": "one", "at": 14.0, "counters": [3, 5]}, (4.0, [2, 0])),
        (MARK, {"of": "two", "at": 14.0, "counters": [3, 5]}, None),  # it was started anew
        (MARK, {"of": "one", "at": 14.0, "counters": [3, 4]}, None),  # it went backwards
        (MARK, {"of": "one", "at": 10.0, "counters": [3, 5]}, None),
        (MARK, {"of": "one", "at": 14.0, "counters": [3]}, None),
        (None, {"of": "one", "at": 14.0, "counters": [3]}, None),
        ({"of": "one"}, MARK, None),
        ({"of": "one", "at": "x", "counters": ["a", "b"]}, MARK, None),
        ([], MARK, None),
    ],
)
def test_counters_are_compared_within_one_start_only(before: object, after: dict[str, object], found: object) -> None:
    assert growth(before, after) == found


# --- services -------------------------------------------------------------------------------------------------------

WANTED = {"WantedBy": "multi-user.target"}


@pytest.mark.parametrize(
    ("load", "file", "wants", "told"),
    [
        ("loaded", "enabled", {}, (True, True, False)),
        ("merged", "enabled", {}, (True, True, False)),
        ("loaded", "enabled-runtime", WANTED, (True, False, False)),
        ("loaded", "disabled", {}, (True, False, False)),
        ("loaded", "static", WANTED, (True, True, False)),
        ("loaded", "static", {}, (True, False, False)),
        ("loaded", "static", {"RequisiteOf": "x.service"}, (True, False, False)),  # Requisite= starts nothing
        ("loaded", "indirect", {"TriggeredBy": "x.socket"}, (True, True, False)),
        ("loaded", "indirect", {}, (True, False, False)),
        ("loaded", "generated", WANTED, (True, True, False)),  # a script of SysV
        ("loaded", "generated", {"WantedBy": ""}, (True, False, False)),  # one that `update-rc.d x disable` disabled
        ("loaded", "linked", WANTED, (True, False, False)),
        ("loaded", "transient", WANTED, (True, False, False)),
        ("loaded", "bad", {}, (True, False, False)),
        ("masked", "masked", {}, (True, False, True)),
        ("masked", "masked-runtime", {}, (True, False, False)),
        ("bad-setting", "enabled", {}, (True, False, False)),
        ("error", "bad", {}, (True, False, False)),
        ("not-found", "", {}, (False, False, False)),
    ],
)
def test_each_state_of_a_unit_by_its_meaning(
    load: str, file: str, wants: dict[str, str], told: tuple[bool, bool, bool]
) -> None:
    found = service_values({"LoadState": load, "UnitFileState": file, "ActiveState": "active", **wants})
    assert (found["present"], found["enabled"], found["masked"]) == told
    assert ("why" in found) is (found["present"] and not found["enabled"])


@pytest.mark.parametrize("shows", [{"LoadState": "dreaming"}, {"LoadState": "loaded", "UnitFileState": "dreaming"}, {}])
def test_a_state_that_is_not_known_is_neither_good_nor_bad(shows: dict[str, str]) -> None:
    with pytest.raises(CollectError, match="State="):
        service_values(shows)


def test_packages_by_name_and_architecture() -> None:
    block = "Package: ssh\nStatus: install ok installed\nArchitecture: %s\nVersion: %s\n"
    found = parse_dpkg_status("\n".join((block % ("amd64", "1"), block % ("i386", "2"))))
    assert found == {"ssh": "1", "ssh:amd64": "1", "ssh:i386": "2"}


@pytest.mark.parametrize(
    ("unit", "name"),
    [
        ("nginx.service", "nginx"),
        ("dbus-org.freedesktop.timedate1.service", "dbus-org.freedesktop.timedate1"),
        ("postgresql@15-main.service", "postgresql@15-main"),
        ("odd.timer.service", "odd.timer.service"),
    ],
)
def test_services_that_were_learnt_are_asked_for_by_the_same_unit(unit: str, name: str) -> None:
    assert service_inventory.service_names(f"{unit} loaded active running\n") == {name}
    assert unit_name(name) == unit


@pytest.mark.parametrize(
    ("pattern", "content", "found"),
    [
        ("^$", b"", True),
        ("^$", b"a complaint\n", False),
        ("^$", b"a complaint", False),
        ("^$", b"one\n\ntwo\n", True),
        ("^$", b"one\n\n", True),
        ("^", b"one\n", True),
        ("one$", b"one\n", True),
        ("one\n", b"one\n", True),
        (r"one\n\Z", b"one\n", True),
    ],
)
def test_no_line_begins_behind_the_last_newline(pattern: str, content: bytes, found: bool) -> None:
    """As with grep: a rule that wants no complaints must not be well where there is one."""
    assert search(pattern, content, 100) == {"matches": found}
