"""Where the cases are played: a lab's hosts, an admin's home beside them, and programs that are started there."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from tests.comparison.seen import Seen
from tests.lab.ground import ROOT, Ground

OTHERS = ROOT / ".venv-comparison"
LIMIT = 120.0  # seconds that a program may take
RAN = "/ran"  # what a command leaves on a server to show that it ran there


@dataclass(frozen=True, slots=True)
class Running:
    """A program that was started; `ended` waits for it."""

    child: "subprocess.Popen[bytes]"
    folder: Path

    def ended(self) -> Seen:
        code = self.child.wait(LIMIT)
        out, err, peak = ((self.folder / name).read_bytes() for name in ("out", "err", "peak"))
        return Seen(code, out.decode("utf-8", "replace"), err.decode("utf-8", "replace"), int(peak) / 1024)


@dataclass(frozen=True, slots=True)
class Stage:
    """`folder` is the admin's: `home` with OpenSSH's own files in their usual places, and what a case writes."""

    ground: Ground
    folder: Path

    @property
    def names(self) -> tuple[str, ...]:
        return self.ground.lab.names

    @property
    def config(self) -> Path:
        return self.folder / "home/.ssh/config"

    @property
    def tree(self) -> Path:
        """What is copied to the servers' /srv/www; the same folder for every program."""
        return self.ground.root / "trees/www"

    def settle(self) -> None:
        """An admin who has logged in to every server before."""
        self.config.parent.mkdir(parents=True)
        known = self.config.parent / "known_hosts"
        known.write_text((self.ground.lab.site / "known_hosts").read_text())
        told = self.ground.lab.ssh_config.read_text()
        self.config.write_text(told.replace(str(self.ground.lab.site / "known_hosts"), str(known)))
        self.ground.write()
        self.ground.tree({"page": "release 1\n"})

    def file(self, name: str, text: str) -> Path:
        (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
        (self.folder / name).write_text(text)
        return self.folder / name

    @contextmanager
    def started(self, *argv: str) -> Iterator[Running]:
        """A program on the admin's side; it and what it started are gone afterwards."""
        place = self.folder / f"run{len(list(self.folder.glob('run*')))}"
        place.mkdir()
        measured = [sys.executable, "-I", "-S", str(ROOT / "tests/comparison/measure.py"), str(place / "peak"), *argv]
        with (place / "out").open("wb") as out, (place / "err").open("wb") as err:
            child = subprocess.Popen(
                self.ground.lab.argv_beside(measured),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                env=self._surroundings(),
                cwd=self.folder,
                start_new_session=True,
            )
        try:
            yield Running(child, place)
        finally:
            if child.poll() is None:
                os.killpg(child.pid, signal.SIGKILL)
                child.wait()

    def run(self, *argv: str) -> Seen:
        with self.started(*argv) as running:
            return running.ended()

    def effect(self, seen: Seen, path: str = RAN, content: bytes | None = None) -> Seen:
        """With the servers that have this file (and this in it); one that is down has nothing."""
        up = [one.name for one in self.ground.lab.status() if one.runs]
        held = {name: self.ground.has(name, path) for name in up}
        done = {name for name, found in held.items() if found is not None and content in (None, found)}
        return replace(seen, done=frozenset(done))

    def _surroundings(self) -> Mapping[str, str]:
        return {
            "HOME": str(self.folder / "home"),
            "PATH": f"{OTHERS / 'bin'}:{os.environ['PATH']}",
            "LC_ALL": "C.UTF-8",
            # No connection outlives its run: the next one would use it and check no host key.
            "ANSIBLE_SSH_ARGS": f"-F {self.config}",
            "ANSIBLE_PIPELINING": "1",
        }
