"""A site for a lab of real hosts, and an ssh_config for other programs."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from multiall_cli.lab import key_pair
from multiall_cli.lab.atomic_write import write_atomically
from multiall_cli.lab.real.network import address

USER = "root"


def names(pool: str, count: int) -> list[str]:
    return [f"{pool}{number}" for number in range(1, count + 1)]


def make(folder: Path, pool: str, hosts: Sequence[str], task: Mapping[str, object]) -> None:
    """Write keys, site and `lab.json`, from which the supervisor reads its task. `task`: the task."""
    for part in ("hostkeys", "site/inventory"):
        (folder / part).mkdir(parents=True)
    folder.chmod(0o700)
    key_pair.generate(folder / "key")
    at = {name: address(number) for number, name in enumerate(hosts, 1)}
    public = {name: key_pair.generate(folder / "hostkeys" / name) for name in hosts}
    servers = "".join(
        f"  {name}:\n    address: {where}\n    ssh: {{user: {USER}, identity: '{folder / 'key'}'}}\n"
        for name, where in at.items()
    )
    pools = f"pools:\n  {pool}:\n    members: [{', '.join(hosts)}]\n"
    write_atomically(folder / "site/inventory/lab.yaml", f"servers:\n{servers}{pools}")
    write_atomically(folder / "site/known_hosts", "".join(f"{at[name]} {key}\n" for name, key in public.items()))
    settings = {"network": folder / "network", "store": folder / "state", "connect_timeout": "5s"}
    write_atomically(folder / "site/multiall.yaml", "".join(f"{key}: {value}\n" for key, value in settings.items()))
    write_atomically(folder / "ssh_config", _ssh_config(folder, at))
    write_atomically(folder / "lab.json", json.dumps({**task, "pool": pool, "servers": at}, indent=1))


def _ssh_config(folder: Path, at: Mapping[str, str]) -> str:
    """Return a config for ssh, rsync and others, in the lab's network (`multiall lab shell -- ssh -F … web1`)."""
    each = "".join(f"Host {name}\n  HostName {where}\n" for name, where in at.items())
    return (
        f"{each}Host *\n  User {USER}\n  IdentityFile {folder / 'key'}\n  IdentitiesOnly yes\n"
        f"  UserKnownHostsFile {folder / 'site/known_hosts'}\n  BatchMode yes\n  ConnectTimeout 5\n"
    )
