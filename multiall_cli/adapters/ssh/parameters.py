"""Merges connection parameters by fabric's rules: the inventory, then the ssh config, then the defaults."""

import fabric
import paramiko

from multiall_cli.adapters.ssh.host_config import HostConfig, HostQuery
from multiall_cli.domain.dataclass import dataclass

_KEYWORDS = ("user", "port")


@dataclass(frozen=True, slots=True)
class ConnectionParameters:
    """Address, port and user of a connection."""

    address: str
    port: int
    user: str


def connection_parameters(query: HostQuery, config: HostConfig) -> ConnectionParameters:
    """Merge `query` (the inventory) with `config` (the ssh config of that server).

    Raises UsageError for a user that is not UTF-8.
    """
    named = config.first("user")
    if named is not None and not query.user and not _is_text(named.text):
        raise named.line.fault("user is not UTF-8")
    connection = fabric.Connection(
        query.alias,
        user=query.user or None,
        port=query.port or None,
        config=fabric.Config(ssh_config=_as_config(config), lazy=True),
        gateway=False,
        connect_kwargs={"key_filename": []},
    )
    return ConnectionParameters(str(connection.host), int(connection.port), str(connection.user))


def _is_text(word: str) -> bool:
    try:
        return bool(word.encode())
    except UnicodeEncodeError:
        return False


def _as_config(config: HostConfig) -> paramiko.SSHConfig:
    """Return the server's values in the form that fabric reads; the blocks are resolved already."""
    lines = [f"HostName {config.hostname}"]
    lines += [f"{keyword} {config.text(keyword)}" for keyword in _KEYWORDS if _is_text(config.text(keyword))]
    return paramiko.SSHConfig.from_text("Host *\n" + "\n".join(f"    {line}" for line in lines))
