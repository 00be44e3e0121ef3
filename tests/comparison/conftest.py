"""A lab of three hosts, as new for each case; without the other programs or a lab the cases are skipped."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from multiall_cli.domain.errors import MultiAllError
from multiall_cli.lab.real.lab import RealLab
from multiall_cli.lab.real.requirements import check_requirements
from tests.comparison.stage import OTHERS, Stage
from tests.lab.ground import Ground


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    why = "" if (OTHERS / "ready").exists() else "the other programs are not installed; ./dev comparison installs them"
    try:
        check_requirements()
    except MultiAllError as fault:
        why = why or str(fault)
    for item in items:
        if Path(__file__).parent in item.path.parents and why:
            item.add_marker(pytest.mark.skip(reason=why))


@pytest.fixture(scope="session")
def three() -> Iterator[RealLab]:
    with RealLab.up(3) as lab:
        yield lab


@pytest.fixture
def stage(three: RealLab, tmp_path: Path) -> Stage:
    three.reset()
    made = Stage(Ground(three, tmp_path / "site"), tmp_path)
    made.settle()
    return made
