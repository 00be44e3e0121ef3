"""Host keys of servers, compared with the site's known_hosts."""

from pathlib import Path
from typing import TYPE_CHECKING

from multiall_cli.adapters.ssh.hostkeys import pin
from multiall_cli.domain.answer import HostKeyOffer
from multiall_cli.domain.errors import Unreachable
from multiall_cli.domain.inventory import Server

if TYPE_CHECKING:
    from multiall_cli.adapters.ssh.transport import SshTransport

_STATES = {"host-key-unknown": "unknown", "host-key-changed": "changed", "auth": "known"}
"""Reason of a failed login -> its meaning for the host key."""


class SiteHostKeys:
    """`HostKeys` of a site."""

    def __init__(self, ssh: "SshTransport", file: Path) -> None:
        self._ssh, self._file = ssh, file

    @property
    def file(self) -> str:
        return str(self._file)

    def offered(self, server: Server) -> HostKeyOffer:
        key = self._ssh.offered(server)
        return HostKeyOffer(server.name, key.name, key.kind, key.fingerprint, key.line, self._state(server))

    def _state(self, server: Server) -> str:
        try:
            self._ssh.open(server).close()
        except Unreachable as fault:
            if fault.reason not in _STATES:
                raise
            return _STATES[fault.reason]
        return "known"

    def pin(self, offer: HostKeyOffer, *, replace: bool) -> None:
        pin(self._file, offer, replace=replace)
