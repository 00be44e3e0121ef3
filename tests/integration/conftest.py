"""One demo lab for all tests of the command line, and a desk with a fresh site for each."""

import itertools
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from multiall_cli.lab import DemoLab
from tests.fixtures.desk import Desk
from tests.fixtures.desk import desk as on_desk

_numbers = itertools.count()


@pytest.fixture(scope="session")
def shared_lab() -> Iterator[DemoLab]:
    with DemoLab.up(4) as lab:
        yield lab


@pytest.fixture
def desk(shared_lab: DemoLab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    for made in on_desk(shared_lab, tmp_path, next(_numbers)):
        for name in {*os.environ, *made.env} - {"PYTEST_CURRENT_TEST", "PYTHONPATH"}:
            if name not in made.env:
                monkeypatch.delenv(name)
            elif os.environ.get(name) != made.env[name]:
                monkeypatch.setenv(name, made.env[name])
        yield made
