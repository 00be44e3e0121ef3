"""Transport that opens sessions."""

from typing import Protocol

from multiall_cli.domain.inventory import Server
from multiall_cli.ports.session import Session


class Transport(Protocol):
    """Opener of sessions. Safe to use from many threads."""

    def open(self, server: Server) -> Session:
        """Open a session, authenticated and with its host key checked. Raises Unreachable, MemberFault."""
        ...

    def close(self) -> None:
        """Close all that stays open between sessions (jump hosts, keys)."""
        ...
