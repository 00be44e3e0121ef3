"""Adapters of a site as one value: the implementations of the ports, opened piece by piece."""

from contextlib import AbstractContextManager
from typing import Protocol

from multiall_cli.domain.answer import HostKeyOffer
from multiall_cli.domain.inventory import Server
from multiall_cli.ports.dns import DynamicNameServers
from multiall_cli.ports.probes import Prober
from multiall_cli.ports.session import Session
from multiall_cli.ports.store import Store
from multiall_cli.ports.transport import Transport


class HostKeys(Protocol):
    """Host keys of servers, and the site's own known_hosts file."""

    @property
    def file(self) -> str:
        """Return the path of the site's known_hosts."""
        ...

    def offered(self, server: Server) -> HostKeyOffer:
        """Return the key that a server shows now, compared with the known ones. Raises Unreachable."""
        ...

    def pin(self, offer: HostKeyOffer, *, replace: bool) -> None:
        """Save an offered key. `replace`: delete other keys of this server. Raises UsageError."""
        ...


class Signer(Protocol):
    """The site's own key (Ed25519), which signs its publications."""

    @property
    def public(self) -> str:
        """Return base64 of the 32 bytes of the public key."""
        ...

    def sign(self, content: bytes) -> str:
        """Return base64 of the 64 bytes of the signature."""
        ...


class Adapters(Protocol):
    """Implementations of one site's ports. Each is opened at its first use, so a command pays for what it needs."""

    @property
    def store(self) -> Store: ...

    @property
    def transport(self) -> Transport: ...

    @property
    def reading(self) -> Transport:
        """Return the transport for calls that change nothing: its sessions stay open between calls during a watch."""
        ...

    @property
    def prober(self) -> Prober: ...

    @property
    def name_servers(self) -> DynamicNameServers:
        """Return the name servers for zones that take dynamic updates (RFC 2136)."""
        ...

    @property
    def dns_timeout(self) -> float:
        """Return the seconds that a name server may be silent."""
        ...

    @property
    def host_keys(self) -> HostKeys: ...

    @property
    def signer(self) -> Signer: ...

    @property
    def is_warm(self) -> bool:
        """Return whether connections and sessions stay open between calls."""
        ...

    def keep_warm(self, most: int) -> None:
        """From now on, leave up to `most` connections open between calls."""
        ...

    def is_hinted(self) -> bool:
        """Return whether an open connection has ended since the last round: then the next scan is urgent."""
        ...

    def open_session(self, server: Server) -> Session | None:
        """Return a session over an open connection; None if there is none."""
        ...

    def in_network(self) -> AbstractContextManager[None]:
        """Enter the network that connections start from, for one thread. Raises MultiAllError."""
        ...
