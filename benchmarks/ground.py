"""A lab of hosts with a site, an ssh_config and an inventory for each of the programs that are compared."""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.race import OTHERS, ROOT, Runner
from multiall_cli.lab.real.lab import RealLab

OURS = "multiall"


@dataclass(frozen=True, slots=True)
class Ground:
    """`folder` is this benchmark's own; all programs run in the lab's network, where its hosts are near."""

    lab: RealLab
    folder: Path

    def runner(self, name: str, *argv: str, env: Mapping[str, str] | None = None, **more: object) -> Runner:
        own = {"HOME": str(self.folder), "PATH": f"{OTHERS}:/usr/bin:/bin:/usr/sbin:/sbin", **(env or {})}
        return Runner(name, tuple(self.lab.argv_beside(argv)), own, **more)  # type: ignore[arg-type]

    def multiall(self, *words: str, name: str = OURS, **more: object) -> Runner:
        argv = (sys.executable, "-m", "multiall_cli", "--site", str(self.folder / "site"), *words)
        return self.runner(name, *argv, env={"PYTHONPATH": str(ROOT)}, **more)

    def ansible(
        self, name: str, *words: str, program: str = "ansible", env: Mapping[str, str] | None = None, **more: object
    ) -> Runner:
        """Its own defaults, with as many forks as hosts; each run makes its connections anew."""
        own = {
            "ANSIBLE_SSH_CONTROL_PATH_DIR": str(self.folder / "cp"),
            "ANSIBLE_SSH_ARGS": f"-F {self.lab.ssh_config} -o ControlMaster=auto -o ControlPersist=60s",
            "ANSIBLE_FORKS": str(len(self.lab.names)),
            "LC_ALL": "C.UTF-8",
            **(env or {}),
        }
        argv = (program, "-i", str(self.folder / "hosts.ini"), *words)
        return self.runner(name, *argv, env=own, before=self.end_connections, **more)

    def end_connections(self) -> None:
        """Those that OpenSSH's client keeps open behind a ControlPath in `cp`."""
        subprocess.run(["pkill", "-f", str(self.folder / "cp")], check=False)
        shutil.rmtree(self.folder / "cp", ignore_errors=True)

    def each(self, name: str, command: str, **more: object) -> Runner:
        """A shell command per host, all at once; `{}` stands for the host's name."""
        argv = ("xargs", "-a", str(self.folder / "names"), "-P", str(len(self.lab.names)), "-I{}", "sh", "-c", command)
        return self.runner(name, *argv, **more)

    def ssh(self) -> str:
        return f"ssh -F {self.lab.ssh_config}"

    def write(self, pool: Mapping[str, object] | None = None) -> None:
        """The site; `pool`: what is declared of the pool web, which has all hosts."""
        site = self.folder / "site"
        (site / "inventory").mkdir(parents=True, exist_ok=True)
        ssh = {"user": "root", "identity": str(self.lab.key)}
        servers = {name: {"address": address, "ssh": ssh} for name, address in self.lab.addresses.items()}
        web = {"members": list(servers), "rollout": {"batch": ["100%"]}, **(pool or {})}
        told = {"servers": servers, "pools": {"web": web}}
        (site / "inventory" / "all.yaml").write_text(json.dumps(told))
        (site / "multiall.yaml").write_text(json.dumps({"store": "./state", "parallel": 64}))
        (site / "known_hosts").write_text((self.lab.site / "known_hosts").read_text())
        (self.folder / "names").write_text("".join(f"{name}\n" for name in self.lab.names))
        lines = [
            f"{name} ansible_host={address} ansible_user=root ansible_ssh_private_key_file={self.lab.key} "
            "ansible_python_interpreter=/usr/bin/python3\n"
            for name, address in self.lab.addresses.items()
        ]
        (self.folder / "hosts.ini").write_text("".join(lines))
        known = self.lab.site / "known_hosts"
        data = {"ssh_user": "root", "ssh_key": str(self.lab.key), "ssh_known_hosts_file": str(known)}
        hosts = [(name, {"ssh_hostname": address, **data}) for name, address in self.lab.addresses.items()]
        (self.folder / "hosts.py").write_text(f"web = {hosts!r}\n")


@contextmanager
def ground(hosts: int, disk: str = "256m") -> Iterator[Ground]:
    """A lab for one benchmark."""
    # What a program leaves running may still write there when it is to go.
    temporary = TemporaryDirectory(prefix="multiall-bench-", ignore_cleanup_errors=True)
    with RealLab.up(hosts, disk=disk) as lab, temporary as folder:
        made = Ground(lab, Path(folder))
        made.write()
        yield made
