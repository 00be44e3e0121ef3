"""What takes samples of servers for the topology."""

from collections.abc import Sequence, Set
from typing import Protocol

from multiall_cli.domain.inventory import Server
from multiall_cli.domain.topology import Evidence


class Observer(Protocol):
    """A brother that is asked whom it reaches. Safe to use from many threads."""

    def reach(self, targets: Sequence[Server]) -> Sequence[Evidence] | None:
        """What it meets at the targets' SSH ports; None where it cannot be asked at all. Errors: Unreachable."""
        ...

    def close(self) -> None: ...


class Prober(Protocol):
    """Takes samples of servers for the topology. Safe to use from many threads."""

    def knock(self, servers: Sequence[Server], listen: Set[str]) -> Sequence[Evidence]:
        """The cheap sample of each that can be reached straight; `listen`: whose SSH banner is waited for."""
        ...

    def login(self, server: Server) -> tuple[Sequence[Evidence], Observer | None]:
        """The dear sample: a whole login, if anything came of it; and what it opened, to be asked about others."""
        ...

    def kept(self, server: Server) -> Observer | None:
        """What an earlier login opened, where such are kept."""
        ...

    def would_keep(self, servers: Sequence[Server]) -> Set[str]:
        """Those of the servers whose logins would stay open."""
        ...
