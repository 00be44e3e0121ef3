"""What opens sessions."""

from typing import Protocol

from multiall_cli.domain.inventory import Server
from multiall_cli.ports.session import Session


class Transport(Protocol):
    """Opens sessions. Safe to use from many threads."""

    def open(self, server: Server) -> Session:
        """A session, authenticated and with its host key checked. Errors: Unreachable, MemberFault."""
        ...

    def close(self) -> None:
        """End whatever is kept open between sessions (jump hosts, keys)."""
        ...
