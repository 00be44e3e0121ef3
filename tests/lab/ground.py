"""A site over the lab's hosts: a test writes its servers and pools, and runs a user's commands."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from multiall_cli.domain.report import MemberState, Report, SubjectReport
from multiall_cli.fleet import AS_SET, Fleet, FleetOptions
from multiall_cli.fleet.sync import sync
from multiall_cli.lab.real.lab import RealLab
from tests.fixtures.bench import ALL_GUARDS, contents

ROOT = Path(__file__).parents[2]
CONNECT = 2.0  # seconds for a member to answer before it counts as unreachable


@dataclass
class Ground:
    """Call `write` first; `trees/www` below the site's folder is the source of /srv/www."""

    lab: RealLab
    root: Path
    timeout: float = 5.0
    options: FleetOptions = AS_SET

    def write(
        self,
        servers: Mapping[str, Mapping[str, object]] | None = None,
        files: Mapping[str, object] | None = None,
        only: Iterable[str] | None = None,
        **settings: object,
    ) -> Path:
        """Write the site. `servers`: settings of some servers; `files`: overrides the declaration of /srv/www; `only`:
        the pool's members, if not all hosts.
        """
        (self.root / "inventory").mkdir(parents=True, exist_ok=True)
        told: dict[str, Any] = {}
        for name, address in self.lab.addresses.items():
            own: Any = dict((servers or {}).get(name, {}))
            ssh = {"user": "root", "identity": str(self.lab.key), **own.pop("ssh", {})}
            told[name] = {"address": address, "ssh": ssh, **own}
        declared = {"path": "/srv/www", "source": "./trees/www", "delete": True, **(files or {})}
        pool = {
            "members": list(only or self.lab.names),
            "files": [declared],
            "rollout": {"batch": ["100%"], "max_fail": "100%"},
        }
        inventory = {"servers": told, "pools": {"web": pool}}
        (self.root / "inventory" / "all.yaml").write_text(json.dumps(inventory))
        (self.root / "known_hosts").write_text((self.lab.site / "known_hosts").read_text())
        says = {"network": str(self.lab.folder / "network"), "store": "./state", "connect_timeout": CONNECT,
                "timeout": self.timeout, **settings}  # fmt: skip
        (self.root / "multiall.yaml").write_text(json.dumps(says))
        return self.root

    def tree(self, files: Mapping[str, bytes | str]) -> Path:
        """Add files to the source tree."""
        top = self.root / "trees" / "www"
        for name, content in files.items():
            (top / name).parent.mkdir(parents=True, exist_ok=True)
            (top / name).write_bytes(content if isinstance(content, bytes) else content.encode())
        return top

    def sync(self, pool: str = "web", only: str = "") -> Report:
        with Fleet.load(str(self.root), self.options) as fleet:
            return sync(fleet.context, pool, ALL_GUARDS, only)

    def timed_sync(self) -> tuple[Report, float]:
        """Sync; return the report and the seconds it took."""
        began = time.monotonic()
        report = self.sync()
        return report, time.monotonic() - began

    def cli(self, *words: str, **environment: str) -> "subprocess.CompletedProcess[str]":
        """Run the program as a user does."""
        return subprocess.run(
            [sys.executable, "-m", "multiall_cli", "--site", str(self.root), *words],
            capture_output=True,
            text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT), "NO_COLOR": "1", **environment},
            cwd=self.root,
            check=False,
        )

    def run(self, name: str, *argv: str, stdin: bytes = b"") -> bytes:
        """Run a command as the host's root, without sshd; return its output."""
        done = self.lab.run(name, argv, stdin)
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout

    def on(self, name: str, path: str) -> Path:
        """Return a path of a host, as this machine sees it."""
        return Path(f"/proc/{self.lab.pid(name)}/root{path}")

    def has(self, name: str, path: str) -> bytes | None:
        """Return a file's content on a host; None if it is missing."""
        done = self.lab.run(name, ["cat", path])
        return done.stdout if done.returncode == 0 else None


def states(report: Report) -> dict[str, MemberState]:
    return {member.server: member.state for member in report.members}


def member(report: Report, name: str) -> SubjectReport:
    return next(each for each in report.members if each.server == name)


def all_are(report: Report, state: MemberState, names: Iterable[str]) -> bool:
    found = states(report)
    return all(found[name] is state for name in names)


def catches_up(ground: Ground, name: str = "web2") -> None:
    """Check that the next run brings the member up to date, and nothing stays open."""
    report = ground.sync()
    assert states(report)[name] is MemberState.CHANGED, report.members
    assert contents(ground.on(name, "/srv/www")) == contents(ground.root / "trees" / "www")
    assert nothing_is_open(ground)
    assert all_are(ground.sync(), MemberState.SAME, ground.lab.names)


def nothing_is_open(ground: Ground) -> bool:
    with Fleet.load(str(ground.root)) as fleet:
        pending = fleet.journal.pending()
    return (pending.entries, pending.missed, pending.handlers) == ((), (), ())
