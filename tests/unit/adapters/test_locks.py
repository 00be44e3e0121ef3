"""Locks on a full disk."""

import resource
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from multiall_cli.adapters.store.locks import FileLocks
from multiall_cli.domain.errors import MultiAllError
from multiall_cli.domain.run import Holder
from multiall_cli.domain.scope import pool_scope

ME = Holder("bob", "adm1", 77, 1.0, "pool sync web")


@contextmanager
def full() -> Iterator[None]:
    """Let no file of this process grow, as on a full disk."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, before)


def test_a_full_disk_is_reported_as_by_the_store(tmp_path: Path) -> None:
    with pytest.raises(MultiAllError) as told, full(), FileLocks(tmp_path).hold(pool_scope("web"), ME, 0.0):
        pass
    assert str(told.value).startswith(f"{tmp_path}: the store failed (File too large); free its disk, check its rights")
    with FileLocks(tmp_path).hold(pool_scope("web"), ME, 0.0):
        """Take and release a lock."""
