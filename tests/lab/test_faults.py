"""Every fault once, with `pool sync`: the broken member is deferred or fails in time, and catches up afterwards."""

import ipaddress
import json
import os
import socket
import time

import pytest

from multiall_cli.domain.errors import UsageError
from multiall_cli.domain.report import MemberState
from multiall_cli.fleet import FleetOptions
from multiall_cli.lab.real.faults import FaultKind
from tests.lab.ground import CONNECT, Ground, all_are, catches_up, states

GRACE = 1.0  # seconds on top of a stated limit
OTHERS = {"web1", "web3", "web4"}


def prepared(ground: Ground) -> None:
    ground.write()
    ground.tree({"page": "one"})
    assert all_are(ground.sync(), MemberState.CHANGED, ground.lab.names)
    ground.tree({"page": "two"})


AWAY = (
    FaultKind.KILL,
    FaultKind.POWER_OFF,
    FaultKind.FREEZE,
    FaultKind.CUT,
    FaultKind.ONE_WAY,
    FaultKind.PARTITION,
    FaultKind.HUNG_SSHD,
)


@pytest.mark.parametrize("fault", AWAY)
def test_a_member_that_is_away(ground: Ground, fault: FaultKind) -> None:
    """Deferred within the time to connect, the others done; later brought up to date exactly once."""
    prepared(ground)
    with ground.lab.broken("web2", fault):
        report, took = ground.timed_sync()
        assert states(report)["web2"] is MemberState.DEFERRED, report.members
        assert all_are(report, MemberState.CHANGED, OTHERS)
        assert took < CONNECT + GRACE + 1  # the others' work runs at the same time
        assert ground.cli("pool", "status", "web").returncode == 3
    catches_up(ground)


def test_a_restart_between_two_runs(ground: Ground) -> None:
    prepared(ground)
    ground.lab.do("web2", FaultKind.RESTART)
    assert all_are(ground.sync(), MemberState.CHANGED, ground.lab.names)


def test_a_wrong_clock(ground: Ground) -> None:
    """Two days behind: the member works normally, and nothing is copied twice."""
    prepared(ground)
    with ground.lab.broken("web2", FaultKind.SKEW_CLOCK, by=-2 * 86400.0):
        there = float(ground.cli("exec", "web2", "--", "date", "+%s").stdout.splitlines()[-1])
        assert there == pytest.approx(time.time() - 2 * 86400, abs=60)
        assert all_are(ground.sync(), MemberState.CHANGED, ground.lab.names)
        assert all_are(ground.sync(), MemberState.SAME, ground.lab.names)


def test_a_slow_login_that_is_in_time(ground: Ground) -> None:
    prepared(ground)
    with ground.lab.broken("web2", FaultKind.SLOW_SSHD, **{"for": 0.4}):
        report, took = ground.timed_sync()
        assert all_are(report, MemberState.CHANGED, ground.lab.names), report.members
        assert took > 0.4


def test_a_login_that_is_too_slow(ground: Ground) -> None:
    prepared(ground)
    with ground.lab.broken("web2", FaultKind.SLOW_SSHD, **{"for": 30.0}):
        report, took = ground.timed_sync()
        assert states(report)["web2"] is MemberState.DEFERRED
        assert all_are(report, MemberState.CHANGED, OTHERS)
        assert took < CONNECT + GRACE + 1
    catches_up(ground)


def test_a_long_and_lossy_line(ground: Ground) -> None:
    """60 ms and 3 % in each direction: slower, but correct."""
    prepared(ground)
    with ground.lab.broken("web2", FaultKind.LINE, delay=0.06, jitter=0.01, loss=0.03):
        for _ in range(3):  # three times: a handshake may be unlucky in so short a time to connect
            report = ground.sync()
            if states(report)["web2"] is not MemberState.DEFERRED:
                break
        assert ground.has("web2", "/srv/www/page") == b"two"


def test_a_narrow_line(ground: Ground) -> None:
    """1 MB over 1 MB/s takes about a second, and not much longer."""
    prepared(ground)
    ground.tree({"noise": os.urandom(1_000_000)})
    with ground.lab.broken("web2", FaultKind.LINE, rate=1_000_000.0):
        report, took = ground.timed_sync()
        assert states(report)["web2"] is MemberState.CHANGED
        assert 0.9 < took < 6


def test_death_in_mid_transfer(ground: Ground) -> None:
    """Power fails while it receives: every file is old or new, never mixed, and the next run completes it.

    The limit for a silent kernel is 30 s (`streams.DEAD_AFTER`); 3 s here, to be quick.
    """
    ground.options = FleetOptions(dead_after=3.0)
    old, new = os.urandom(3_000_000), os.urandom(3_000_000)
    ground.timeout = 2.0
    ground.write()
    ground.tree({"one": old, "two": old, "page": "one"})
    ground.sync()
    ground.tree({"one": new, "two": new, "page": "two"})
    with ground.lab.broken("web2", FaultKind.DIE_MID_TRANSFER, after=1_500_000):
        report, took = ground.timed_sync()
        assert states(report)["web2"] in (MemberState.DEFERRED, MemberState.FAILED), report.members
        assert all_are(report, MemberState.CHANGED, OTHERS)
        assert took < 3 + 2 * CONNECT + GRACE
        assert not {one.name: one.runs for one in ground.lab.status()}["web2"]
    for name in ("one", "two"):
        assert ground.has("web2", f"/srv/www/{name}") in (old, new)
    catches_up(ground)
    assert ground.has("web2", "/srv/www/two") == new


def test_a_partition_between_two_members(ground: Ground) -> None:
    ground.lab.do("web1", FaultKind.PARTITION, **{"from": ("web2",)})
    said = ground.lab.run("web1", ["ssh", "-o", "ConnectTimeout=1", "-o", "StrictHostKeyChecking=no",
                                   ground.lab.addresses["web2"], "true"])  # fmt: skip
    assert b"timed out" in said.stderr
    ground.write()
    ground.tree({"page": "x"})
    assert all_are(ground.sync(), MemberState.CHANGED, ground.lab.names)


def test_status_shows_faults_until_a_reset(ground: Ground) -> None:
    lab = ground.lab
    lab.do("web1", FaultKind.LINE, delay=0.01)
    lab.do("web2", FaultKind.CUT)
    assert {one.name: list(one.faults) for one in lab.status()} == {
        "web1": ["line"], "web2": ["cut"], "web3": [], "web4": []}  # fmt: skip
    lab.reset("web1", "web2")
    assert all(one.runs and not one.faults for one in lab.status())
    ground.write()
    ground.tree({"page": "x"})
    assert all_are(ground.sync(), MemberState.CHANGED, lab.names)


def test_invalid_orders(ground: Ground) -> None:
    lab = ground.lab
    with pytest.raises(UsageError, match="lab web9: there is no such host; its hosts are web1, web2"):
        lab.kill("web9")
    with pytest.raises(UsageError, match="fault line: it has no `speed`; it takes delay, jitter, loss, rate"):
        lab.do("web1", FaultKind.LINE, speed=1)
    with pytest.raises(UsageError, match="no other host `web9`"):
        lab.do("web1", FaultKind.PARTITION, **{"from": ("web9",)})
    lab.kill("web1")
    with pytest.raises(UsageError, match="lab web1: it is not running"):
        lab.do("web1", FaultKind.FREEZE)
    with pytest.raises(UsageError, match="lab web1: it is not running"):
        lab.pid("web1")


def test_the_lab_is_unreachable_from_outside(ground: Ground) -> None:
    """This machine's network has no link to it, and its hosts have no way out. (Nothing is sent to find out.)"""
    ours = {link for _, link in socket.if_nameindex()}
    theirs = {one["ifname"] for one in json.loads(ground.lab.beside(["ip", "-json", "link"]).stdout)}
    assert theirs == {"lo", "br0", "v1", "v2", "v3", "v4"}
    assert not ours & (theirs - {"lo"})
    lab = ipaddress.ip_network("198.18.0.0/16")
    for space in (ground.lab.beside(["ip", "-json", "route"]).stdout, ground.run("web1", "ip", "-json", "route")):
        assert [ipaddress.ip_network(route["dst"]) for route in json.loads(space)] == [lab]
    assert {one["ifname"] for one in json.loads(ground.run("web1", "ip", "-json", "link"))} == {"lo", "eth0"}
