"""A lab of real hosts for the whole run, reset for each test; nothing is left at the end."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from multiall_cli.domain.errors import MultiAllError
from multiall_cli.lab.real.lab import RealLab
from multiall_cli.lab.real.requirements import check_requirements
from tests.lab.ground import Ground
from tests.lab.traces import traces

HOSTS = 4


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip the tests of this folder, with the reason, where no lab can run."""
    try:
        check_requirements()
        why = ""
    except MultiAllError as fault:
        why = str(fault)
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.root)
            if why:
                item.add_marker(pytest.mark.skip(reason=why))


@pytest.fixture(scope="session")
def hosts(pytestconfig: pytest.Config) -> Iterator[RealLab]:
    """One lab per worker of pytest-xdist: each has its own network."""
    lab = RealLab.up(HOSTS, seed=int(pytestconfig.getoption("randomly_seed", 1)))
    try:
        yield lab
    finally:
        lab.reset()
        with traces(lab) as seen:
            assert len(seen.left()) > HOSTS, "what is to be gone at the end must be seen while it is there"
            lab.down()
            assert seen.left() == []


@pytest.fixture
def lab(hosts: RealLab) -> RealLab:
    """Reset hosts: clean disks, fresh boot, no faults."""
    hosts.reset()
    return hosts


@pytest.fixture
def ground(lab: RealLab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ground]:
    """A site over the lab's hosts, and a home without an ssh config."""
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    for name in ("SSH_AUTH_SOCK", "MULTIALL_SITE", "XDG_STATE_HOME"):
        monkeypatch.delenv(name, raising=False)
    yield Ground(lab, tmp_path / "site")
    shutil.rmtree(tmp_path / "site", ignore_errors=True)
