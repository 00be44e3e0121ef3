"""Faults of a link while content is sent over it: every wait ends within its limit and a second."""

import os
import random
import time
from collections.abc import Callable

import pytest

from multiall_cli.domain.report import MemberState, Report
from multiall_cli.lab.real.faults import FaultKind
from tests.fixtures.bench import contents
from tests.lab.ground import Ground, all_are, catches_up, nothing_is_open, states
from tests.lab.moments import Moments, sync_through

SILENCE = 2.0  # seconds: the site's `timeout`
GRACE = 1.0  # seconds on top of a stated limit
OTHERS = ("web1", "web3", "web4")
LARGE = 3_000_000  # bytes: more than kernels buffer before the other side answers
TRIES = 5
Figure = Callable[[str, object], None]


def prepared(ground: Ground) -> dict[str, tuple[bytes, bytes]]:
    """Give all the old tree, and prepare the new one. Path → (old, new)."""
    luck = random.Random(ground.lab.seed)
    ground.timeout = SILENCE
    ground.write()
    old, new = ({name: luck.randbytes(LARGE) for name in ("one", "two")} | {"page": word} for word in (b"one", b"two"))
    ground.tree(old)
    assert all_are(ground.sync(), MemberState.CHANGED, ground.lab.names)
    ground.tree(new)
    return {name: (old[name], new[name]) for name in old}


def assert_whole(ground: Ground, versions: dict[str, tuple[bytes, bytes]]) -> None:
    for name, both in versions.items():
        assert ground.has("web2", f"/srv/www/{name}") in both, name


def moment(ground: Ground, number: int, fault: FaultKind, **values: object) -> tuple[Report, float]:
    """Sync with a fault on web2 before the numbered piece is sent to it; return the report and the seconds after it."""
    began = 0.0

    def strike() -> None:
        nonlocal began
        ground.lab.do("web2", fault, **values)
        began = time.monotonic()

    report = sync_through(str(ground.root), Moments(number, strike), only="web2")
    assert began, "the run ended before that moment"
    return report, time.monotonic() - began


SILENT = (FaultKind.CUT, FaultKind.ONE_WAY, FaultKind.POWER_OFF, FaultKind.FREEZE, FaultKind.PARTITION)


@pytest.mark.parametrize("number", [2, 15, 40])
@pytest.mark.parametrize("fault", SILENT)
def test_silence_in_mid_transfer(ground: Ground, fault: FaultKind, number: int, record_property: Figure) -> None:
    """A black hole, a half-open link, a frozen kernel: reported after `timeout`, the others done meanwhile."""
    versions = prepared(ground)
    report, took = moment(ground, number, fault)
    assert took < SILENCE + GRACE
    assert states(report)["web2"] in (MemberState.DEFERRED, MemberState.FAILED), report.members
    assert all_are(report, MemberState.CHANGED, OTHERS)
    ground.lab.undo("web2")
    assert_whole(ground, versions)
    catches_up(ground)
    record_property("figure", ("silence of a link in mid-transfer", 1))


@pytest.mark.slow("a third of all packets is sent again")
def test_a_line_that_loses_a_third(ground: Ground, record_property: Figure) -> None:
    """30 % in each direction. Later runs complete what one run does not."""
    ground.timeout = 15.0
    ground.write(connect_timeout=15.0)
    ground.tree({f"d{number % 3}/f{number}": f"{number}" * 1000 for number in range(30)})
    with ground.lab.broken("web2", FaultKind.LINE, loss=0.3):
        for _ in range(TRIES):
            report = ground.sync()
            if states(report)["web2"] in (MemberState.CHANGED, MemberState.SAME):
                break
    assert contents(ground.on("web2", "/srv/www")) == contents(ground.root / "trees" / "www")
    assert nothing_is_open(ground)
    record_property("figure", ("a sync over a line that loses 30 %", 1))


def test_a_line_of_half_a_second(ground: Ground, record_property: Figure) -> None:
    """500 ms round trip: a login needs about seven, a sync three more."""
    ground.timeout = 10.0
    ground.write(connect_timeout=10.0)
    ground.tree({"page": "one", "noise": os.urandom(200_000)})
    with ground.lab.broken("web2", FaultKind.LINE, delay=0.25):
        assert all_are(ground.sync(), MemberState.CHANGED, ground.lab.names)
    assert nothing_is_open(ground)
    record_property("figure", ("a run over a line of 500 ms", 1))


def test_a_dead_end_behind_a_jump_host(ground: Ground, record_property: Figure) -> None:
    """web3 answers, web2 behind it is silent: reported as soon as without a jump host."""
    versions = prepared(ground)
    ground.write({"web2": {"ssh": {"jump": "web3"}}})
    report, took = moment(ground, 20, FaultKind.CUT)
    assert took < SILENCE + GRACE
    assert all_are(report, MemberState.CHANGED, OTHERS)
    ground.lab.undo("web2")
    assert_whole(ground, versions)
    catches_up(ground)
    record_property("figure", ("silence of a link in mid-transfer", 1))
