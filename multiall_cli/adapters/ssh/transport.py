"""Opens sessions: directly, through a ProxyCommand, or through jump hosts whose connections are shared."""

import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from pathlib import Path

import paramiko

from multiall_cli.adapters.passwords import Passwords, Reveal
from multiall_cli.adapters.process_session import ProcessSession
from multiall_cli.adapters.ssh import channel, login, streams
from multiall_cli.adapters.ssh.config import CONFIG_FILES
from multiall_cli.adapters.ssh.hostkeys import HostKey, KnownHosts
from multiall_cli.adapters.ssh.peer import EndpointOf, Peer, SshConnection
from multiall_cli.adapters.ssh.route import Route, Routes
from multiall_cli.domain.errors import Unreachable
from multiall_cli.domain.inventory import Server
from multiall_cli.ports.store import Cache


class SshTransport:
    """Sessions with servers over SSH. Safe to use from many threads."""

    def __init__(
        self,
        *,
        connect_timeout: float,
        timeout: float,
        known_hosts: Sequence[Path],
        servers: Mapping[str, Server],
        cache: Cache,
        reveal: Reveal,
        config_files: Sequence[str] = CONFIG_FILES,
        network: Callable[[], AbstractContextManager[None]] = nullcontext,
        passwords: Passwords | None = None,
        dead_after: float | None = None,
    ) -> None:
        """Times in seconds: to open a session (each step), and of silence in a call without its own limit.

        `known_hosts`: the site's files, besides the user's; `servers`: by name, for jumps; `cache` stores which key
        each server accepted; `network`: context in which sockets are made and ProxyCommands run; `passwords`: those of
        the run; `dead_after`: in place of `streams.DEAD_AFTER`.
        """
        self._routes = Routes(servers, known_hosts, connect_timeout, config_files)
        self._known = KnownHosts()
        self._passwords = passwords or Passwords(reveal)
        self._login = login.Login(self._known, cache, self._passwords)
        self._network = network
        self._timeout = timeout
        self._dead_after = dead_after or streams.DEAD_AFTER
        self._reveal = reveal
        self._jumps: dict[Route, _JumpHost] = {}
        self._lock = threading.Lock()

    def open(self, server: Server) -> ProcessSession:
        """Open a session: one connection, one channel per command. Raises Unreachable, UsageError."""
        opened = self._connect(server)
        return self._session(server, opened.transport, opened.close)

    def _session(
        self, server: Server, connection: paramiko.Transport, close: Callable[[], None] = lambda: None
    ) -> ProcessSession:
        start = partial(channel.start, connection, server.name, self._timeout)
        return ProcessSession(server, start, self._timeout, self._reveal, close, passwords=self._passwords)

    def _connect(self, server: Server) -> SshConnection:
        """Open an authenticated connection. Raises Unreachable, UsageError."""
        route = self._routes.of(server)
        below, connection = login.retry_rejected(lambda: self._log_in(route))

        def close() -> None:
            connection.close()
            below.close()

        def on_end(callback: Callable[[], None]) -> None:
            below.on_close = callback

        return SshConnection(connection, partial(self._session, connection=connection), close, on_end)

    def _log_in(self, route: Route) -> tuple[streams.RetryingStream, paramiko.Transport]:
        below = self._link(route)
        return below, self._login(below, route)

    def peer(self, server: Server, endpoint_of: EndpointOf, timeout: float) -> Peer:
        """Log in to a peer that probes others, each for at most `timeout` seconds. Raises Unreachable, UsageError."""
        return Peer(server, self._connect(server), endpoint_of, timeout)

    def endpoint_of(self, server: Server) -> tuple[str, int] | None:
        """Return the endpoint to probe; None behind a jump host or proxy. Raises UsageError."""
        return self._routes.endpoint_of(server)

    def offered(self, server: Server) -> HostKey:
        """Return the host key offered now, unchecked: for `server trust`. Raises Unreachable, UsageError."""
        route = self._routes.of(server)
        return login.retry_rejected(lambda: self._offered(route))

    def _offered(self, route: Route) -> HostKey:
        below = self._link(route)
        connection = login.negotiate(below, route, [])
        try:
            return login.offered_host_key(connection, route)
        finally:
            connection.close()
            below.close()

    def _link(self, route: Route) -> streams.RetryingStream:
        return streams.RetryingStream(self._stream(route), self._timeout)

    def _stream(self, route: Route) -> streams.ByteStream:
        if route.jump is not None:
            return self._through_jump(route, route.jump)
        with self._network():
            if route.proxy_command:
                return streams.connect_through(route.proxy_command, route.name)
            return streams.connect(route, self._dead_after)

    def _through_jump(self, route: Route, jump: Route) -> streams.ByteStream:
        with self._lock:
            shared = self._jumps.setdefault(jump, _JumpHost())
        try:
            connection = shared.connection(lambda: login.retry_rejected(lambda: self._log_in(jump))[1])
        except Unreachable as fault:
            what = f"its jump host {jump.name} cannot be used: {fault.what}"
            raise Unreachable(route.name, what, fault.todo, "jump") from None
        try:
            return connection.open_channel(
                "direct-tcpip", (route.address, route.port), ("127.0.0.1", 0), timeout=route.connect_timeout
            )
        except (paramiko.SSHException, OSError, EOFError) as fault:
            raise _not_through(route, jump, fault) from None

    def close(self) -> None:
        with self._lock:
            jumps, self._jumps = self._jumps, {}
        for jump in jumps.values():
            jump.close()


class _JumpHost:
    """A jump host's connection, opened once and shared by all routes through it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._connection: paramiko.Transport | None = None
        self._fault: Unreachable | None = None
        self._tries = 0

    def connection(self, opened: Callable[[], paramiko.Transport]) -> paramiko.Transport:
        """Return the connection; open it if there is none. Threads that waited for a failed attempt do not retry."""
        before = self._tries
        with self._lock:
            if self._connection is not None and self._connection.is_active():
                return self._connection
            if self._fault is not None and self._tries > before:
                raise self._fault
            try:
                self._connection, self._fault = opened(), None
            except Unreachable as fault:
                self._fault = fault
                raise
            finally:
                self._tries += 1
            return self._connection

    def close(self) -> None:
        with self._lock:
            if self._connection is not None:
                below = self._connection.sock
                self._connection.close()
                below.close()


def _not_through(route: Route, jump: Route, fault: Exception) -> Unreachable:
    """Return the error for a server that the jump host could not reach."""
    where = f"{route.address} port {route.port} through {jump.name}"
    if isinstance(fault, paramiko.ChannelException):
        if fault.code == 1:
            todo = f"allow it there (AllowTcpForwarding, PermitOpen of {jump.name}'s sshd)"
            return Unreachable(route.name, f"{jump.name} does not forward to {where}", todo, "away")
        what = f"{where} cannot be reached ({fault.text})"
        return Unreachable(route.name, what, f"check that {jump.name} can reach it and that its sshd runs", "away")
    late = "Timeout" in str(fault)
    what = f"{where}: no answer in time" if late else f"{where}: the connection to {jump.name} was cut ({fault})"
    return Unreachable(route.name, what, "run again when it is back", "timeout" if late else "away")
