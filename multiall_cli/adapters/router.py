"""Opens each session as the server is declared: over SSH, or on the admin host itself."""

from collections.abc import Callable
from threading import Lock

from multiall_cli.adapters.local import LocalTransport
from multiall_cli.domain.inventory import Link, Server
from multiall_cli.ports.session import Session
from multiall_cli.ports.transport import Transport


class RoutingTransport:
    """One transport per kind of link, made when it is first needed: importing paramiko is slow."""

    def __init__(self, ssh: Callable[[], Transport], local: LocalTransport) -> None:
        self._ssh = ssh
        self._made: Transport | None = None
        self._local = local
        self._lock = Lock()

    def open(self, server: Server) -> Session:
        return self._of(server.link).open(server)

    def _of(self, link: Link) -> Transport:
        if link is Link.LOCAL:
            return self._local
        with self._lock:
            if self._made is None:
                self._made = self._ssh()
            return self._made

    def close(self) -> None:
        if self._made is not None:
            self._made.close()
