"""Probes of servers for the topology."""

from collections.abc import Sequence, Set
from typing import Protocol

from multiall_cli.domain.inventory import Server
from multiall_cli.domain.topology import Evidence


class Observer(Protocol):
    """Peer that probes other servers for us. Safe to use from many threads."""

    def reach(self, targets: Sequence[Server]) -> Sequence[Evidence] | None:
        """Return its evidence from the targets' SSH ports; None if it cannot be asked at all. Raises Unreachable."""
        ...

    def close(self) -> None: ...


class Prober(Protocol):
    """Source of samples of servers for the topology. Safe to use from many threads."""

    def probe(self, servers: Sequence[Server], listen: Set[str]) -> Sequence[Evidence]:
        """Take a cheap sample of each server without a jump host; `listen`: servers whose SSH banner is read."""
        ...

    def login(self, server: Server) -> tuple[Sequence[Evidence], Observer | None]:
        """Take an expensive sample, a whole login; return it, and the peer to ask about others if it succeeded."""
        ...

    def open_peer(self, server: Server) -> Observer | None:
        """Return the peer that an earlier login opened, if its connection is pooled."""
        ...

    def would_pool(self, servers: Sequence[Server]) -> Set[str]:
        """Return the servers whose logins would stay open."""
        ...
