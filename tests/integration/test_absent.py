"""A member that misses a thousand changes, an admin that is killed again and again: it gets each once, in order."""

import random
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from multiall_cli.domain.exits import Exit
from multiall_cli.domain.report import MemberState
from multiall_cli.domain.run import Stage
from multiall_cli.domain.scope import pool_scope
from tests.fixtures.before_after import assert_store_whole
from tests.fixtures.bench import Bench, contents
from tests.fixtures.mortal_admin import declaration
from tests.fixtures.pipes import Machine
from tests.scale import share

WEB = pool_scope("web")

MISSED, KILLED = share(1000, 150), share(20, 6)
STEPS = 12  # about as many as a run of one member tells
ABSENT = "s1"


def _change(source: Path, number: int, luck: random.Random) -> None:
    """One more thing to miss: a file that is new, different, or gone."""
    files = sorted(source.glob("f*"))
    if len(files) > 50 and luck.random() < 0.5:
        luck.choice(files).unlink()
    else:
        (source / f"f{luck.randrange(80)}").write_text(f"{number}")


def _killed_run(folder: Path, luck: random.Random, *away: str) -> bool:
    """A run in a process of its own that kills itself at some step; whether it did not live to its end."""
    words = [str(folder), "step", str(luck.randrange(1, STEPS)), "2", *away]
    ended = subprocess.run([sys.executable, "-m", "tests.fixtures.mortal_admin", *words], check=False, cwd=ROOT)
    assert ended.returncode in (Exit.OK, Exit.PARTIAL, -signal.SIGKILL)
    return ended.returncode == -signal.SIGKILL


ROOT = Path(__file__).parents[2]


@pytest.fixture
def quick_disk() -> Iterator[Path]:
    """In memory where that can be had: a process's death, unlike a power cut, loses nothing that was written."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
        yield Path(folder)


def test_all_changes_of_a_long_absence_are_delivered_once_and_in_order(
    quick_disk: Path, pytestconfig: pytest.Config, record_property: Callable[[str, object], None]
) -> None:
    luck = random.Random(pytestconfig.getoption("randomly_seed", 1))
    bench = Bench(quick_disk, Machine(warm=True), members=2, declared=declaration(quick_disk))
    bench.machine.away.add(ABSENT)
    at = set(luck.sample(range(MISSED), KILLED // 2))
    killed = 0
    with closing(bench):
        for number in range(MISSED):
            _change(bench.source, number, luck)
            if number in at:
                killed += _killed_run(quick_disk, luck, ABSENT)
            assert bench.sync().exit is Exit.PARTIAL
        missed = bench.store.backlog.entries(WEB)
        assert len(missed) > MISSED * 0.9, "some changes are none: the same file again, or none to delete"
        while killed < KILLED:
            killed += _killed_run(quick_disk, luck)
        assert_store_whole(quick_disk / "state" / "state.sqlite")
        bench.machine.away.clear()
        assert bench.sync().exit is Exit.OK
        _assert_delivered_once(bench, len(missed))
        again = bench.sync()
        assert {each.state for each in again.members} == {MemberState.SAME}
    record_property("figure", ("change that an absent member missed", len(missed)))
    record_property("figure", ("kill -9 of the admin while one is absent or catches up", killed))


def _assert_delivered_once(bench: Bench, missed: int) -> None:
    """One run delivered all of it, in order; no path was written twice by one run; nothing is open."""
    assert contents(bench.member(1)) == contents(bench.source)
    delivered = bench.store.backlog.entries(WEB, delivered=True)
    assert [each.id for each in delivered] == sorted(each.id for each in delivered)
    assert len(delivered) >= missed
    assert len({each.delivered_by for each in delivered}) == 1
    for run in bench.store.journal.runs(KILLED + 1, WEB):
        entries = [each for each in bench.store.journal.entries(run.id) if each.server == ABSENT]
        assert max(Counter(each.key for each in entries).values(), default=1) == 1
        assert {each.stage for each in entries} <= {Stage.DONE, Stage.SETTLED}
    store = bench.store
    assert (store.journal.pending(), store.handlers.of(WEB), store.backlog.entries(WEB)) == ([], [], [])
