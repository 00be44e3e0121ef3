"""Counts the cases that really ran, of all workers, and says so in one line; a place of its own for each test."""

import functools
import os
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

_COUNTED = "fuzz cases"
_ran: Counter[str] = Counter()


def _counting(test: Callable[..., Any], seen: list[int]) -> Callable[..., Any]:
    @functools.wraps(test)
    def counted(*given: Any, **named: Any) -> Any:
        seen[0] += 1
        return test(*given, **named)

    return counted


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """Each case of a property goes through a counter; what it counted travels with the test's report."""
    given = getattr(getattr(item, "obj", None), "hypothesis", None)
    if given is None:
        return (yield)
    seen, inner = [0], given.inner_test
    given.inner_test = _counting(inner, seen)
    try:
        return (yield)
    finally:
        given.inner_test = inner
        item.user_properties.append((_COUNTED, seen[0]))


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Told of every worker's tests in the process that sums up."""
    if report.when == "call":
        door = Path(report.nodeid.partition("::")[0]).stem
        _ran[door] += sum(int(str(value)) for name, value in report.user_properties if name == _COUNTED)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    doors = sum(1 for number in _ran.values() if number)
    if doors:
        terminalreporter.write_line(f"fuzz: {_ran.total():,} cases through {doors} doors")


@pytest.fixture
def own_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder that is home, state and current folder: what a case does, it does there."""
    monkeypatch.chdir(tmp_path)
    for name in os.environ:
        if name.startswith(("MULTIALL", "SSH_", "XDG_", "COLUMNS")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    (tmp_path / "home").mkdir()
    return tmp_path
