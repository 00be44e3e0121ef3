"""Every store that there is, as a parameter of each part's law suite."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from multiall_cli.adapters.store.sqlite import SqliteStore
from multiall_cli.ports.store import Store


@pytest.fixture(params=[SqliteStore])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """New and empty."""
    made = request.param(tmp_path / "state")
    yield made
    made.close()
