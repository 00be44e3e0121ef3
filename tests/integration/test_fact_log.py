"""Logs that are rotated in any way between looks: every line is counted once, or a gap is reported."""

import gzip
import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import pytest

from multiall_cli.domain.baseline import Code
from multiall_cli.remote.facts.log import log
from tests.fixtures.judging import ruled, shown

LINES = (b"error\n", b"well\n", b"error with more words than the one before\n", b"x" * 400 + b"\n")


@dataclass
class Writer:
    """A log and what happens to it. `clock`: each write has a time of its own, which the kernel's ticks do not give."""

    path: Path
    errors: int = 0
    clock: int = 10**18
    counted: int = 0
    gaps: int = 0
    mark: object = None
    history: list[str] = field(default_factory=list)

    def write(self, line: bytes) -> None:
        with self.path.open("ab") as opened:
            opened.write(line[:-1] + b" %d\n" % self.clock)
        self.errors += line.startswith(b"error")
        self.touched(self.path)

    def touched(self, path: Path) -> None:
        self.clock += 10**9
        os.utime(path, ns=(self.clock, self.clock))

    def _make_room(self) -> None:
        for number in range(8, 0, -1):
            old = self.path.with_name(f"{self.path.name}.{number}")
            if old.exists():
                old.rename(self.path.with_name(f"{self.path.name}.{number + 1}"))

    def renamed(self) -> None:
        self._make_room()
        self.path.rename(f"{self.path}.1")
        self.path.touch()
        self.touched(self.path)

    def copied(self) -> None:
        """copytruncate"""
        self._make_room()
        shutil.copyfile(self.path, f"{self.path}.1")
        self.touched(Path(f"{self.path}.1"))
        self.emptied()

    def backed_up(self) -> None:
        """A copy and nothing more."""
        self._make_room()
        shutil.copyfile(self.path, f"{self.path}.1")
        self.touched(Path(f"{self.path}.1"))

    def emptied(self) -> None:
        os.truncate(self.path, 0)
        self.touched(self.path)

    def is_known(self) -> bool:
        """Whether the last look saw lines of this very file."""
        since = self.history[::-1].index("look") if "look" in self.history else len(self.history)
        moved = {"renamed", "copied", "emptied"} & set(self.history[len(self.history) - since :])
        return isinstance(self.mark, dict) and self.mark["at"] > 0 and not moved

    def look(self) -> None:
        first = self.mark is None
        told, self.mark = log(str(self.path), "^error", self.mark)
        if first:
            self.errors = 0
        self.counted += told.get("count", 0)
        self.gaps += told.get("gap", False)


@pytest.mark.parametrize("seed", range(60))
def test_no_line_is_lost_without_a_word(seed: int, tmp_path: Path) -> None:
    """Looks, writes and rotations in any order. What is only emptied is the one thing that loses lines."""
    random = Random(seed)
    writer = Writer(tmp_path / "app.log")
    writer.write(b"start\n")
    writer.look()
    emptied = False
    for _ in range(40):
        step = random.choice(["write"] * 8 + ["look"] * 2 + ["renamed", "copied"] + ["emptied"] * (seed % 3 == 0))
        if step == "emptied" and not writer.is_known():
            continue  # nothing shows that a file was written to and emptied which no look has seen
        writer.history.append(step)
        emptied = emptied or step == "emptied"
        if step == "write":
            writer.write(random.choice(LINES))
        else:
            getattr(writer, step)()
    writer.look()
    if not emptied:
        assert (writer.counted, writer.gaps) == (writer.errors, 0), writer.history
    assert writer.counted == writer.errors or (writer.counted < writer.errors and writer.gaps), writer.history


def test_lines_before_a_copytruncate_are_counted(tmp_path: Path) -> None:
    writer = Writer(tmp_path / "app.log")
    writer.write(b"start\n")
    writer.look()
    for _ in range(3):
        writer.write(b"error\n")
    writer.copied()
    writer.write(b"error\n")
    writer.look()
    assert (writer.counted, writer.gaps) == (4, 0)


def test_two_rotations_between_looks(tmp_path: Path) -> None:
    writer = Writer(tmp_path / "app.log")
    writer.write(b"start\n")
    writer.look()
    for rotated in (writer.renamed, writer.copied, writer.renamed):
        writer.write(b"error\n")
        rotated()
    writer.write(b"error\n")
    writer.look()
    assert (writer.counted, writer.gaps) == (4, 0)


def test_a_program_that_goes_on_writing_to_the_old_file_counts_nothing_twice(tmp_path: Path) -> None:
    """Until it is told to open its log anew, or for good where no one tells it."""
    writer = Writer(tmp_path / "app.log")
    writer.write(b"start\n")
    writer.look()
    writer.write(b"error\n")
    writer.renamed()
    writer.look()
    for line in (b"well\n", b"error\n", b"well\n"):
        with Path(f"{writer.path}.1").open("ab") as opened:
            opened.write(line)
        writer.errors += line.startswith(b"error")
        writer.touched(Path(f"{writer.path}.1"))
        writer.look()
        assert (writer.counted, writer.gaps) == (writer.errors, 0)
    writer.write(b"error\n")
    writer.look()
    assert (writer.counted, writer.gaps) == (3, 0)


def test_a_copy_of_a_log_that_goes_on_counts_nothing_twice(tmp_path: Path) -> None:
    writer = Writer(tmp_path / "app.log")
    writer.write(b"start\n")
    writer.look()
    writer.write(b"error\n")
    writer.backed_up()
    writer.write(b"error\n")
    writer.look()
    assert (writer.counted, writer.gaps) == (2, 0)


@pytest.mark.parametrize("how", ["compressed", "elsewhere", "emptied"])
def test_what_cannot_be_found_is_a_gap_and_never_nothing(how: str, tmp_path: Path) -> None:
    writer = Writer(tmp_path / "app.log")
    writer.write(b"start\n")
    writer.look()
    writer.write(b"error\n")
    if how == "emptied":
        writer.emptied()
    else:
        writer.renamed()
        old = tmp_path / "app.log.1"
        if how == "compressed":
            (tmp_path / "app.log.1.gz").write_bytes(gzip.compress(old.read_bytes()))
        old.unlink()
    told, mark = log(str(writer.path), "^error", writer.mark)
    judgement = shown(ruled("log", path=str(writer.path), pattern="^error"), told)
    assert (judgement.code, judgement.shows) == (Code.COLLECT_ERROR, "gap true")
    again, _ = log(str(writer.path), "^error", mark)
    assert again == {"present": True, "count": 0, "gap": False}, "it is reported once"


def test_logs_of_a_day_behind_a_link(tmp_path: Path) -> None:
    """As cronolog and rotatelogs write them: nothing is renamed, the link moves on."""
    for day in (1, 2):
        (tmp_path / f"2026-01-0{day}-app").write_bytes(b"error\n")
    link = tmp_path / "current"
    link.symlink_to("2026-01-01-app")
    _, mark = log(str(link), "^error")
    with (tmp_path / "2026-01-01-app").open("ab") as opened:
        opened.write(b"error\nerror\n")
    link.unlink()
    link.symlink_to("2026-01-02-app")
    assert log(str(link), "^error", mark)[0] == {"present": True, "count": 3, "gap": False}


def test_dates_before_the_ending_and_other_logs_beside_it(tmp_path: Path) -> None:
    writer = Writer(tmp_path / "app.log")
    writer.write(b"start\n")
    (tmp_path / "app-error.log").write_bytes(b"error\n" * 100)
    (tmp_path / "app.log.lock").write_bytes(b"error\n" * 100)
    writer.look()
    writer.write(b"error\n")
    shutil.copyfile(writer.path, tmp_path / "app-20260101.log")
    writer.touched(tmp_path / "app-20260101.log")
    writer.emptied()
    (tmp_path / "app-error.log").write_bytes(b"error\n" * 200)
    writer.look()
    assert (writer.counted, writer.gaps) == (1, 0)


def test_a_mark_of_an_earlier_release_goes_on(tmp_path: Path) -> None:
    writer = Writer(tmp_path / "app.log")
    writer.write(b"start\n")
    writer.look()
    assert isinstance(writer.mark, dict)
    del writer.mark["newest"]
    writer.write(b"error\n")
    writer.renamed()
    writer.write(b"error\n")
    writer.look()
    assert (writer.counted, writer.gaps) == (2, 0)
