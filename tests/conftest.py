"""What every level of tests has: a pool of folders, and the skips of what this machine cannot do."""

import os
import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from hypothesis import HealthCheck, settings

from tests.fixtures.bench import Bench
from tests.fixtures.pipes import Machine
from tests.scale import SOAK

SOAK_LIMIT = 3600
"""Seconds that one test may take in a soak."""
LONG = 10.0
"""Seconds beyond which a test says by its mark `slow` why it takes so long."""
MEMORY = Path("/dev/shm")
ROOM = 4 << 30
"""Bytes of memory that must be free before temporary files lie in it; a whole run takes less than 2 GB."""

# A busy machine is no failure: what hangs is ended by its test's timeout. What failed is printed to be had again.
settings.register_profile(
    "test",
    deadline=None,
    max_examples=50,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.function_scoped_fixture],
)
settings.register_profile("soak", settings.get_profile("test"), max_examples=2000)
settings.load_profile("soak" if SOAK else "test")


def pytest_configure() -> None:
    """Restore Ctrl-C, which is tested: a shell that starts the tests in the background has it ignored.

    Temporary files lie in memory: tests kill processes and cut no power, so nothing is gained by waiting for a disk.
    A soak uses the disk.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if not SOAK and _has_room():
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(MEMORY))


def _has_room() -> bool:
    if not os.access(MEMORY, os.W_OK | os.X_OK):
        return False
    there = os.statvfs(MEMORY)
    return min(there.f_bavail * there.f_frsize, psutil.virtual_memory().available) >= ROOM


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip `root` tests for everyone else, allow a soak its time, and let no test be slow without a reason."""
    for item in items:
        mark = item.get_closest_marker("slow")
        if mark is not None and not mark.args:
            raise pytest.UsageError(f"{item.nodeid}: its mark `slow` gives no reason; write slow('why')")
    if SOAK:
        for item in items:
            item.add_marker(pytest.mark.timeout(SOAK_LIMIT), append=False)
    if os.geteuid() == 0:
        return
    for item in items:
        if "root" in item.keywords:
            item.add_marker(pytest.mark.skip(reason="needs root"))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """How often which fault was brought about and did no harm (tests record `figure`: what, how often).

    And the luck of this run, so that a failure can be had again: order of tests, lossy lines, drawn cases.
    """
    figures: Counter[str] = Counter()
    for report in terminalreporter.getreports("passed"):
        for what, count in (value for name, value in report.user_properties if name == "figure"):
            figures[what] += count
    for what, count in sorted(figures.items()):
        terminalreporter.write_line(f"{count:>6,} × {what}: held")
    _report_slow(terminalreporter)
    seed = config.getoption("randomly_seed", None)
    if seed is not None:
        terminalreporter.write_line(f"random seed: --randomly-seed={seed}")


def _report_slow(terminalreporter: pytest.TerminalReporter) -> None:
    """Name tests that took long and give no reason. It is no failure: on a busy machine everything takes long."""
    load = os.getloadavg()[1] / (os.cpu_count() or 1)
    unexplained = [
        each
        for each in terminalreporter.getreports("passed")
        if each.when == "call" and each.duration > LONG * max(1.0, load) and "slow" not in each.keywords
    ]
    for each in sorted(unexplained, key=lambda report: -report.duration):
        terminalreporter.write_line(
            f"slow without a reason: {each.nodeid} took {each.duration:.0f} s at a load of {load:.1f} per core"
        )


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    """One member, everything that the source lacks is deleted."""
    made = Bench(tmp_path)
    yield made
    made.close()


@pytest.fixture
def warm_bench(tmp_path: Path) -> Iterator[Bench]:
    """As `bench`, with sessions that stay open from sync to sync."""
    made = Bench(tmp_path, Machine(warm=True))
    yield made
    made.close()
