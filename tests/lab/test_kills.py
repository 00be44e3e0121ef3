"""kill -9 of the admin, of a member's sshd and of the whole member: at every moment of a run, and at random ones.

After each: every file is old or new, never mixed; the store is valid; the next run completes everything.
`./dev test` draws a sample of the moments, `./dev soak` tests them all.
"""

import random
import shutil
import signal
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from multiall_cli.domain.report import MemberState
from multiall_cli.fleet import Fleet
from multiall_cli.fleet.sync import sync
from multiall_cli.lab.real.faults import FaultKind
from multiall_cli.lab.real.lab import RealLab
from tests.fixtures.before_after import Contents, assert_old_or_new, assert_store_whole, plant_new, plant_old
from tests.fixtures.bench import ALL_GUARDS, contents
from tests.lab.ground import Ground, nothing_is_open, states
from tests.lab.moments import Moments, sync_through
from tests.lab.mortals import Admin
from tests.scale import SOAK, sample, share

pytestmark = pytest.mark.slow("each kill is followed by a sync and a check of the whole store")
LATE = "most kills came after the end"  # of a dozen kills that may be: only a soak has enough of them to judge
TIMES = share(5, 1)  # at each moment
MOMENTS = 8  # of a run's 34, in a sample
AT_RANDOM, SHARES = share(300, 12), share(6, 1)  # per victim; split into tests, so that both cores have work
NEVER = 0
LATE = 1.2  # times the length of an undisturbed run: some kills come after its end


@dataclass(frozen=True)
class Stand:
    """One member with the old tree, and a site with the new one."""

    ground: Ground
    old: Contents
    new: Contents

    @property
    def lab(self) -> RealLab:
        return self.ground.lab

    @property
    def site(self) -> str:
        return str(self.ground.root)

    def begin(self) -> None:
        """Restore the state before the first run."""
        for made in ("/srv/.multiall-www", "/srv/acted"):
            shutil.rmtree(self.ground.on("web1", made), ignore_errors=True)
        self.ground.on("web1", "/srv/acted").mkdir()
        plant_old(self.ground.on("web1", "/srv/www"))
        shutil.rmtree(self.ground.root / "state", ignore_errors=True)

    def check(self) -> None:
        """Check that no file is mixed and nothing is lost; then one more run completes everything."""
        assert_old_or_new(contents(self.ground.on("web1", "/srv/www")), self.old, self.new)
        assert_store_whole(self.ground.root / "state" / "state.sqlite")
        with Fleet.load(self.site) as fleet:
            report = sync(fleet.context, "web", options=ALL_GUARDS)
            assert states(report) in ({"web1": MemberState.CHANGED}, {"web1": MemberState.SAME}), report.members
        assert nothing_is_open(self.ground)
        assert contents(self.ground.on("web1", "/srv/www")) == self.new
        assert {each.name for each in self.ground.on("web1", "/srv/acted").iterdir()} == {"one", "two"}
        assert not [each for each in self.ground.on("web1", "/srv/.multiall-www").glob("stage/*") if each.is_file()]


@pytest.fixture
def stand(ground: Ground, tmp_path: Path) -> Stand:
    """web1 alone, so that the moments of a run always have the same order."""
    actions = [{"run": ["touch", f"/srv/acted/{name}"]} for name in ("one", "two")]
    ground.write(files={"after": actions}, only=["web1"])
    plant_new(ground.root / "trees" / "www")
    plant_old(tmp_path / "old")
    made = Stand(ground, contents(tmp_path / "old"), contents(ground.root / "trees" / "www"))
    made.begin()
    return made


def kill_member(lab: RealLab) -> None:
    lab.kill("web1")


def kill_sshd(lab: RealLab) -> None:
    lab.do("web1", FaultKind.KILL_SSHD)


def mend(lab: RealLab) -> None:
    lab.undo("web1", FaultKind.KILL, FaultKind.KILL_SSHD)


VICTIMS: dict[str, Callable[[RealLab], None]] = {"sshd": kill_sshd, "member": kill_member}


def moments_of(stand: Stand, luck: random.Random) -> list[int]:
    """Return the moments of a whole run, or a sample of them."""
    counted = Moments(NEVER, lambda: None)
    sync_through(stand.site, counted)
    stand.check()
    assert counted.passed > 20
    return sample(range(1, counted.passed + 1), MOMENTS, luck)


Figure = Callable[[str, object], None]


@pytest.mark.parametrize("time", range(TIMES))
def test_the_admin_at_every_moment(stand: Stand, time: int, record_property: Figure) -> None:
    moments = moments_of(stand, random.Random(f"{stand.lab.seed} admin {time}"))
    for number in moments:
        stand.begin()
        assert Admin(stand.site, dies_at=number).end() == -signal.SIGKILL
        stand.check()
    record_property("figure", ("kill -9 of the admin at every moment", len(moments)))


@pytest.mark.parametrize("victim", VICTIMS)
@pytest.mark.parametrize("time", range(TIMES))
def test_the_other_side_at_every_moment(stand: Stand, victim: str, time: int, record_property: Figure) -> None:
    moments = moments_of(stand, random.Random(f"{stand.lab.seed} {victim} {time}"))
    for number in moments:
        stand.begin()
        report = sync_through(stand.site, Moments(number, lambda: VICTIMS[victim](stand.lab)))
        assert set(states(report)) == {"web1"}
        mend(stand.lab)
        stand.check()
    record_property("figure", (f"kill -9 of the {victim} at every moment", len(moments)))


@pytest.mark.parametrize("share", range(SHARES))
def test_the_admin_at_random(stand: Stand, share: int, record_property: Figure) -> None:
    luck = random.Random(f"{stand.lab.seed} admin {share}")
    within = length_of_a_run(stand)
    cut_off = 0
    for _ in range(AT_RANDOM // SHARES):
        stand.begin()
        admin = Admin(stand.site)
        if not admin.ended_within(luck.uniform(0, within)):
            admin.kill()
        cut_off += admin.end() == -signal.SIGKILL
        stand.check()
    assert cut_off > AT_RANDOM // SHARES // 4 or not SOAK, LATE
    record_property("figure", ("kill -9 of the admin at random", AT_RANDOM // SHARES))


@pytest.mark.parametrize("victim", VICTIMS)
@pytest.mark.parametrize("share", range(SHARES))
def test_the_other_side_at_random(stand: Stand, victim: str, share: int, record_property: Figure) -> None:
    luck = random.Random(f"{stand.lab.seed} {victim} {share}")
    within = length_of_a_run(stand)
    cut_off: list[bool] = []
    for _ in range(AT_RANDOM // SHARES):
        stand.begin()
        ended = threading.Event()
        killer = threading.Thread(target=after(luck.uniform(0, within), ended, VICTIMS[victim], stand.lab))
        killer.start()
        report = sync_through(stand.site, Moments(NEVER, lambda: None))
        ended.set()
        killer.join()
        cut_off.append(states(report) != {"web1": MemberState.CHANGED})
        mend(stand.lab)
        stand.check()
    assert sum(cut_off) > len(cut_off) // 5 or not SOAK, LATE
    record_property("figure", (f"kill -9 of the {victim} at random", AT_RANDOM // SHARES))


def after(seconds: float, ended: threading.Event, kill: Callable[[RealLab], None], lab: RealLab) -> Callable[[], None]:
    """Kill after so many seconds, or at the run's end if that is earlier."""

    def wait_and_kill() -> None:
        ended.wait(seconds)
        kill(lab)

    return wait_and_kill


def length_of_a_run(stand: Stand) -> float:
    """Return the seconds of a run, with the start of its admin."""
    admin = Admin(stand.site)  # the first one also starts the process that the others fork from
    admin.end()
    stand.begin()
    return LATE * Admin(stand.site).timed()
