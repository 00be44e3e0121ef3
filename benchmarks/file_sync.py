"""A file tree kept the same on many hosts, against rsync and others: `python -m benchmarks.file_sync [ROUNDS]`."""

import random
import shutil
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

from benchmarks.ground import Ground, ground
from benchmarks.race import Race, Runner, keep, race

FILES, FOLDERS, MEMBERS = 20_000, 200, 10
FEW_FILES = 100
BLOCK = 1 << 17
LARGE_BLOCKS, LARGE_MEMBERS = 4000, 3
"""500 MB of blocks; two trees of it a member."""
PATHS = 1_000_000


class Tree:
    """The source, with luck of its own: the same changes in each run of a benchmark."""

    def __init__(self, root: Path, luck: random.Random) -> None:
        self.root = root
        self._luck = luck

    def plant(self, files: int) -> None:
        for number in range(files):
            file = self._file(number)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(self._luck.randbytes(self._luck.randrange(200, 6000)))

    def change(self, files: int) -> None:
        """One in two hundred; two such changes lie between two runs of one program, so it meets one in a hundred."""
        for number in self._luck.sample(range(files), files // 200):
            self._file(number).write_bytes(self._luck.randbytes(self._luck.randrange(200, 6000)))

    def plant_large(self) -> None:
        self.root.mkdir(parents=True, exist_ok=True)
        with (self.root / "large").open("wb") as large:
            for _ in range(LARGE_BLOCKS):
                large.write(self._luck.randbytes(BLOCK))

    def change_large(self) -> None:
        """As `change`, of its blocks."""
        with (self.root / "large").open("r+b") as large:
            for number in self._luck.sample(range(LARGE_BLOCKS), LARGE_BLOCKS // 200):
                large.seek(number * BLOCK)
                large.write(self._luck.randbytes(BLOCK))

    def _file(self, number: int) -> Path:
        return self.root / f"d{number % FOLDERS}" / f"f{number}"


def _declared(made: Ground, source: Path) -> None:
    files = [{"path": "/srv/ours", "source": str(source), "delete": True, "times": True}]
    made.write({"files": files})


def _ours(made: Ground, before: Callable[[], object] = lambda: None) -> Runner:
    words = ("pool", "sync", "web", "--yes", "--quiet", "--force-guard", "changes", "--force-guard", "deletions")
    return made.multiall(*words, before=before)


def _rsync(made: Ground, source: Path, *options: str, before: Callable[[], object] = lambda: None) -> Runner:
    command = f"rsync -a --delete {' '.join(options)} -e '{made.ssh()}' {source}/ {{}}:/srv/rsync/"
    return made.each("rsync in xargs", command, before=before)


def _everywhere(made: Ground, *argv: str) -> None:
    for name in made.lab.names:
        made.lab.run(name, argv)


def many_files(rounds: int) -> list[Race]:
    with ground(MEMBERS, disk="1g") as made:
        tree = Tree(made.folder / "tree", random.Random(1))
        tree.plant(FILES)
        _declared(made, tree.root)
        what = f"{FILES:,} files, {MEMBERS} members"
        first = race(
            f"{what}: first copy, durable",
            [
                _ours(made, lambda: _everywhere(made, "rm", "-rf", "/srv/ours", "/srv/.multiall-ours")),
                _rsync(made, tree.root, "--fsync", before=lambda: _everywhere(made, "rm", "-rf", "/srv/rsync")),
            ],
            max(rounds // 2, 1),
            {"rsync in xargs": 2.0},
        )
        floor = made.each("find over ssh", f"{made.ssh()} {{}} find /srv/ours -printf '%p%s%T@%m%U%G%i%C@'")
        same = race(
            f"{what}: nothing changed",
            [_ours(made), floor, _rsync(made, tree.root)],
            rounds,
            {"find over ssh": 0.8, "rsync in xargs": 1.4},
        )
        change = partial(tree.change, FILES)  # before each run: whoever runs has something to do
        changed = race(
            f"{what}: 1 % changed",
            [_ours(made, change), _rsync(made, tree.root, before=change)],
            rounds,
            {"rsync in xargs": 1.3},
        )
        return [first, same, changed]


def large_file(rounds: int) -> Race:
    with ground(LARGE_MEMBERS, disk="1700m") as made:
        tree = Tree(made.folder / "tree", random.Random(2))
        tree.plant_large()
        _declared(made, tree.root)
        return race(
            f"one file of {LARGE_BLOCKS * BLOCK / 1e6:.0f} MB, {LARGE_MEMBERS} members: 1 % of its blocks changed",
            [_ours(made, tree.change_large), _rsync(made, tree.root, before=tree.change_large)],
            rounds,
            {"rsync in xargs": 1.1},
        )


def few_files(rounds: int) -> Race:
    """A tree small enough for programs that send file by file."""
    with ground(MEMBERS) as made:
        tree = Tree(made.folder / "tree", random.Random(3))
        tree.plant(FEW_FILES)
        _declared(made, tree.root)
        deploy = made.folder / "deploy.py"
        deploy.write_text(
            "from pyinfra.operations import files\n"
            f"files.sync(src={str(tree.root)!r}, dest='/srv/pyinfra', delete=True)\n"
        )
        runners = [
            _ours(made),
            made.runner("pyinfra files.sync", "pyinfra", "-y", str(made.folder / "hosts.py"), str(deploy)),
        ]
        goals = {"pyinfra files.sync": 5.0}
        return race(f"{FEW_FILES} files, {MEMBERS} members: nothing changed", runners, 1, goals)


def million_paths() -> list[Race]:
    """The memory that the admin host needs for a large tree; the member is this machine, and has it already."""
    with ground(1) as made:
        source = made.folder / "tree"
        for number in range(PATHS // 1000):
            folder = source / f"d{number}"
            folder.mkdir(parents=True)
            for name in range(999):
                (folder / f"f{name}").touch()
        copy = made.folder / "copy"
        shutil.copytree(source, copy)
        _declared(made, source)
        inventory = made.folder / "site" / "inventory" / "all.yaml"
        inventory.write_text(
            inventory.read_text()
            .replace("/srv/ours", str(copy))
            .replace('"address"', '"transport": "local", "address"')
        )
        return [race(f"{PATHS:,} paths, nothing changed: memory", [_ours(made)], 1)]


def main(rounds: int = 5) -> None:
    cases = (lambda: many_files(rounds), lambda: [large_file(rounds)], lambda: [few_files(rounds)], million_paths)
    races: list[Race] = []
    for case in cases:
        races += case()
        keep("file_sync", races)  # so that what was measured is not lost where a later case fails


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
