"""What every level of tests has: a pool of folders, and the skips of what this machine cannot do."""

import os
import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.fixtures.bench import Bench
from tests.fixtures.pipes import Machine
from tests.scale import SOAK

SOAK_LIMIT = 3600
"""Seconds that one test may take in a soak."""

# A busy machine is no failure: what hangs is ended by its test's timeout. What failed is printed to be had again.
settings.register_profile(
    "test",
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.function_scoped_fixture],
)
settings.register_profile("soak", settings.get_profile("test"), max_examples=2000)
settings.load_profile("soak" if SOAK else "test")


def pytest_configure() -> None:
    """Ctrl-C is tested: who starts the tests in the background hands down that it is ignored."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """`root` tests are skipped for everyone else; a soak takes longer than a test may."""
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
    seed = config.getoption("randomly_seed", None)
    if seed is not None:
        terminalreporter.write_line(f"random seed: --randomly-seed={seed}")


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
