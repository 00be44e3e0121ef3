"""Processes by their names, of which the kernel knows the first 15 bytes only."""

import ctypes
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from multiall_cli.domain.baseline import Code
from multiall_cli.remote.facts import process, psutil_fallback
from tests.fixtures.judging import judged

WAITS = "import sys\nprint(flush=True)\nsys.stdin.read(1)\n"
Counts = dict[str, int]


@contextmanager
def running(*argvs: list[str], executable: str | None = None) -> Iterator[None]:
    """Programs that wait until the end, once they have said a line."""
    with ExitStack() as stack:
        for argv in argvs:
            child = stack.enter_context(
                subprocess.Popen(argv, executable=executable, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            )
            assert child.stdin is not None
            assert child.stdout is not None
            stack.callback(child.stdin.close)
            assert child.stdout.readline() == b"\n"
        yield


@pytest.fixture(params=[process, psutil_fallback], ids=["kernel", "psutil"])
def counted(request: pytest.FixtureRequest) -> object:
    return lambda name: request.param.process(name=name)[0]["count"]


def script(folder: Path, name: str) -> str:
    path = folder / name
    path.write_text(f"#!{sys.executable}\n{WAITS}")
    path.chmod(0o755)
    return str(path)


def program(folder: Path, name: str) -> str:
    """A program, and no script, by any name."""
    path = folder / name
    path.symlink_to(sys.executable)
    return str(path)


def test_the_worker_that_runs_is_not_the_one_that_does_not(tmp_path: Path, counted: object) -> None:
    assert callable(counted)
    with running([script(tmp_path, "gunicorn-worker-a")], [script(tmp_path, "x" * 15)], [script(tmp_path, "short")]):
        names = ("gunicorn-worker-a", "gunicorn-worker-b", "gunicorn-worker", "x" * 15, "x" * 16, "short", "shor")
        assert [counted(name) for name in names] == [1, 0, 1, 1, 0, 1, 0], "15 letters are the kernel's name"
        assert judged("process", name="gunicorn-worker-b").code is Code.CRIT_LIMIT
        assert judged("process", name="gunicorn-worker-a").code is Code.OK


def test_programs_and_what_they_call_themselves(tmp_path: Path, counted: object) -> None:
    assert callable(counted)
    runs = program(tmp_path, "a-very-long-program-name")
    with running([runs, "-c", WAITS], ["a-very-long-program-title: master", "-c", WAITS], executable=runs):
        names = ("a-very-long-program-name", "a-very-long-program-title:", "a-very-long-program-of", "a-very-long-pro")
        assert [counted(name) for name in names] == [1, 1, 0, 2]


def test_a_name_that_is_letters_of_several_bytes(tmp_path: Path, counted: object) -> None:
    """The kernel's part may end within a letter."""
    assert callable(counted)
    with running([script(tmp_path, "größenwächtër-ä")]):
        assert [counted(name) for name in ("größenwächtër-ä", "größenwächtër-ö", "größenwächtë")] == [1, 0, 0]


def test_a_name_that_was_set_later_is_whole(tmp_path: Path) -> None:
    """By prctl, as threads of the kernel and some servers have theirs: nothing else knows more of it."""
    sets = f"import ctypes\nctypes.CDLL(None).prctl({PR_SET_NAME}, b'fifteen-letters', 0, 0, 0)\n"
    if not hasattr(ctypes.CDLL(None), "prctl"):
        pytest.skip("needs prctl (Linux)")
    with running([sys.executable, "-c", sets + WAITS]):
        found = [process.process(name=name)[0]["count"] for name in ("fifteen-letters", "fifteen-letters2")]
    assert found == [1, 0]


PR_SET_NAME = 15
