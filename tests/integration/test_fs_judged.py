"""An agent that compares only what changed since its last look finds what one that never looked before finds."""

import os
import random
import shutil
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from multiall_cli.agents.files import FileTree, digests
from multiall_cli.agents.files.item import FileItem
from multiall_cli.domain.change import Change
from multiall_cli.domain.inventory import ADMIN, Delete, FilesDeclaration
from multiall_cli.planning.diff import diff
from tests.fixtures.bench import Bench, server
from tests.fixtures.pipes import Machine
from tests.fixtures.told import Remembered

STEPS = 120
NAMES = ("a", "b", "c", "d1", "d1/a", "d1/b", "d2", "d2/a", "d2/d3", "d2/d3/a")


def _clear(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    elif os.path.lexists(path):
        path.unlink()


def _change(root: Path, luck: random.Random, number: int) -> None:
    """Something happens to one path of a tree, as a person or a program would do it."""
    path = root / luck.choice(NAMES)
    for above in reversed(path.relative_to(root).parents[:-1]):
        if (root / above).is_symlink() or not (root / above).is_dir():
            _clear(root / above)
            (root / above).mkdir()
    kind = luck.randrange(8)
    if kind == 0:
        _clear(path)
    elif kind == 1:
        _clear(path)
        path.symlink_to(luck.choice(["a", "../b", "/nowhere"]))
    elif kind == 2:
        _clear(path)
        path.mkdir()
    elif kind == 3 and path.exists() and not path.is_symlink():
        path.chmod(luck.choice([0o700, 0o750, 0o755]))
    elif kind == 4 and (files := [each for each in root.rglob("*") if each.is_file() and not each.is_symlink()]):
        _clear(path)
        if (chosen := luck.choice(files)).is_file():
            os.link(chosen, path)
    elif kind == 5 and path.is_dir() and not path.is_symlink():
        os.mkfifo(path / f"fifo{number}")
    else:
        _clear(path)
        path.write_text("x" * luck.choice([3, number + 10]) + str(luck.randrange(3)))


def _found(agent: FileTree, machine: Machine) -> list[Change[FileItem]]:
    session, source = machine.open(server()), machine.open(ADMIN)
    try:
        ready = agent.read({agent.source.name: source})
        try:
            return diff(ready.observe(session), ready.tree)
        finally:
            ready.release()
    finally:
        source.close()
        session.close()


@pytest.mark.parametrize("fresh", [digests.FRESH, -(10**18)], ids=["all may change unseen", "nothing does"])
@pytest.mark.parametrize("delete", list(Delete))
def test_what_is_remembered_hides_nothing(
    tmp_path: Path, delete: Delete, fresh: int, pytestconfig: pytest.Config
) -> None:
    """Whatever happens to the source and to the member, between looks, plans and syncs."""
    luck = random.Random(f"{pytestconfig.getoption('randomly_seed', 1)} {delete}")
    declared = FilesDeclaration("", "", delete=delete, times=luck.random() < 0.5)
    bench = Bench(tmp_path, Machine(warm=True), declared=declared)
    (bench.source / "stays").write_text("so that the source is never empty")
    bench.member().mkdir(parents=True)
    with closing(bench):
        for number in range(STEPS):
            for root in (bench.source, bench.member()):
                if luck.random() < 0.5:
                    _change(root, luck, number)
            remembers = replace(bench.agent(), fresh=fresh)
            forgets = replace(remembers, store=_Forgetful(bench))
            assert _found(remembers, bench.machine) == _found(forgets, bench.machine), f"after {number} changes"
            if luck.random() < 0.2:
                bench.sync(agents=[replace(bench.agent(), fresh=fresh)])


class _Forgetful(Remembered):
    """Knows what was agreed, and nothing else."""

    def __init__(self, bench: Bench) -> None:
        super().__init__()
        self.states = bench.store.states  # type: ignore[assignment]


@pytest.mark.parametrize("damage", [b"", b"x", b"x" * 200])
def test_a_damaged_cache_costs_time_and_no_truth(tmp_path: Path, damage: bytes) -> None:
    """Each part of it, cut or overwritten."""
    bench = Bench(tmp_path, Machine(warm=True), declared=FilesDeclaration("", "", delete=Delete.EVERYTHING))
    (bench.source / "page").write_text("one")
    with closing(bench):
        for _ in range(2):
            bench.sync()
        with closing(sqlite3.connect(bench.folder / "state" / "state.sqlite")) as raw:
            keys = [key for (key,) in raw.execute("SELECT key FROM cache")]
        assert {key.partition(":")[0] for key in keys} >= {"scan", "source", "judged"}
        for key in keys:
            whole = bench.store.cache.get(key) or b""
            bench.store.cache.put(key, whole[:33] + damage)
            (bench.source / "page").write_text(f"two {key}")
            assert {each.state.value for each in bench.sync().members} == {"changed"}, key
            assert {each.state.value for each in bench.sync().members} == {"same"}, key
