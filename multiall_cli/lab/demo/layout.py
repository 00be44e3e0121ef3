"""File layout of a lab's folder, and a site for the lab."""

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from multiall_cli.lab import key_pair
from multiall_cli.lab.atomic_write import write_atomically

LONGEST = 100  # bytes of a Unix socket's path: the limit is 104 on macOS, 108 on Linux, with the final zero


def home(folder: Path, name: str) -> Path:
    return folder / "homes" / name


def host_key(folder: Path, name: str) -> Path:
    return folder / "hostkeys" / name


@contextmanager
def control(folder: Path) -> Iterator[str]:
    """Yield a path for the supervisor's socket that is short enough for the kernel."""
    path = str(folder / "control")
    if len(os.fsencode(path)) <= LONGEST or not sys.platform.startswith("linux"):
        yield path
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        yield f"/proc/self/fd/{handle}/control"
    finally:
        os.close(handle)


def make_folders(folder: Path, names: Sequence[str]) -> None:
    """Make keys and homes."""
    for part in ("homes", "hostkeys", "site/inventory"):
        (folder / part).mkdir(parents=True)
    key_pair.generate(folder / "key")
    for name in names:
        (home(folder, name) / "bin").mkdir(parents=True)
        key_pair.generate(host_key(folder, name))


def write_site(folder: Path, addresses: Mapping[str, tuple[str, int]], pool: str) -> None:
    """Write an inventory of the lab's servers with one pool of all, and their host keys."""
    servers = "".join(
        f"  {name}:\n    address: {address}\n    ssh: {{user: lab, port: {port}, identity: '{folder / 'key'}'}}\n"
        for name, (address, port) in addresses.items()
    )
    pools = f"pools:\n  {pool}:\n    members: [{', '.join(addresses)}]\n"
    write_atomically(folder / "site" / "inventory" / "lab.yaml", f"servers:\n{servers}{pools}")
    known = ""
    for name, (address, port) in addresses.items():
        kind, blob, _ = host_key(folder, name).with_name(f"{name}.pub").read_text("ascii").split()
        known += f"[{address}]:{port} {kind} {blob}\n"
    write_atomically(folder / "site" / "known_hosts", known)
