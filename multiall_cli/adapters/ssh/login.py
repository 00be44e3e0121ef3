"""From a connected stream to a login: key exchange, host key, authentication. Every failure is an Unreachable."""

import logging
import random
import socket
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar, cast

import paramiko

from multiall_cli.adapters.passwords import Passwords
from multiall_cli.adapters.ssh import algorithms, channel, hostkeys, identities
from multiall_cli.adapters.ssh.route import Route
from multiall_cli.adapters.ssh.streams import ByteStream, RetryingStream
from multiall_cli.domain.errors import MemberFault, Unreachable
from multiall_cli.domain.values import Secret
from multiall_cli.ports.store import Cache

Result = TypeVar("Result")

# Without a handler, Python would print paramiko's warnings and tracebacks on standard error.
logging.getLogger("paramiko").addHandler(logging.NullHandler())


class ConnectionRejected(Unreachable):
    """A connection closed before the login, as servers with too many at once do (MaxStartups)."""


TRIES = 3
PAUSES = (0.2, 1.0)  # seconds: bounds of the random pause before another try, so that tries spread


def retry_rejected(attempt: Callable[[], Result]) -> Result:
    """Try again if the connection was rejected. Raises the last error of `attempt`."""
    for _ in range(TRIES - 1):
        try:
            return attempt()
        except ConnectionRejected:
            time.sleep(random.uniform(*PAUSES))  # noqa: S311  (it spreads tries, it protects nothing)
    return attempt()


def negotiate(stream: ByteStream, route: Route, known: "list[hostkeys.KnownHostsLine]") -> paramiko.Transport:
    """Return a connection after the key exchange; its host key is not checked yet. Raises Unreachable."""
    transport = paramiko.Transport(cast(socket.socket, stream))  # any object with recv, send and close will do
    options = transport.get_security_options()
    # AES-GCM costs half as much as CTR with a MAC; CBC is left out, as in OpenSSH.
    options.ciphers = tuple(sorted((c for c in options.ciphers if "cbc" not in c), key=lambda c: "gcm" not in c))
    options.key_types = hostkeys.preferred(known, options.key_types)
    transport.banner_timeout = transport.handshake_timeout = transport.auth_timeout = route.connect_timeout
    channel.watch_signals(transport)
    offers = algorithms.watch(transport)
    done = threading.Event()
    transport.start_client(event=done)
    in_time = done.wait(route.connect_timeout)
    if in_time and transport.is_active():
        return transport
    fault = _algorithm_error(route, transport, offers) or _negotiation_error(route, transport, in_time=in_time)
    words = stream.last_messages() if route.proxy_command and isinstance(stream, RetryingStream) else ""
    transport.close()
    stream.close()
    if not words:
        raise fault
    raise type(fault)(fault.subject, f"{fault.what} (ProxyCommand says: {words})", fault.todo, fault.reason)


def _algorithm_error(
    route: Route, transport: paramiko.Transport, offers: algorithms.OfferedAlgorithms
) -> Unreachable | None:
    """Return the error for a server without a common algorithm, with the line that helps."""
    if not isinstance(transport.saved_exception, paramiko.ssh_exception.IncompatiblePeer):
        return None
    lacks, line = algorithms.find_mismatch(offers, algorithms.supported(transport))
    what = f"{route.address} port {route.port}: {lacks or transport.saved_exception}"
    todo = f"write `{line}` into its sshd_config and reload it" if line else "check the algorithms of its sshd"
    return Unreachable(route.name, what, todo, "banner")


def _negotiation_error(route: Route, transport: paramiko.Transport, *, in_time: bool) -> Unreachable:
    where = f"{route.address} port {route.port}"
    words = str(transport.saved_exception or "")
    if transport.remote_version:
        late = f"did not end within {route.connect_timeout:g} s"
        what = f"the key exchange with {where} " + (f"was cut off ({words or 'closed'})" if in_time else late)
        kind = ConnectionRejected if in_time else Unreachable
        return kind(route.name, what, "check its load and its sshd's log", "away" if in_time else "timeout")
    if route.proxy_command and in_time and "Indecipherable" not in words:
        what = f"its ProxyCommand ended before an SSH banner came from {where}"
        return ConnectionRejected(route.name, what, f"run it by hand: `{route.proxy_command}`", "away")
    if not in_time:
        what = f"{where} accepts connections but sent no SSH banner for {route.connect_timeout:g} s"
    elif "Indecipherable" in words:
        what = f"{where} is not an SSH server: it sends {_quote(words)}"
    else:
        what = f"{where} closed the connection before its SSH banner"
        todo = "check that `ssh.port` is its sshd's port, and check MaxStartups and its log"
        return ConnectionRejected(route.name, what, todo, "banner")
    return Unreachable(route.name, what, "check that `ssh.port` is its sshd's port, and that sshd is healthy", "banner")


def _quote(words: str) -> str:
    text = words.partition('"')[2].rstrip('"')
    return ascii(text if len(text) <= 60 else f"{text[:60]}…")


def offered_host_key(transport: paramiko.Transport, route: Route) -> hostkeys.HostKey:
    key = transport.get_remote_server_key()
    signed = getattr(key, "public_blob", None)
    certificate = signed.key_blob if signed is not None else b""
    return hostkeys.HostKey(route.key_name, key.get_name(), key.asbytes(), certificate)


class Login:
    """Logs in with the keys and passwords of site and admin. Safe to use from many threads."""

    def __init__(self, known: hostkeys.KnownHosts, cache: Cache, passwords: Passwords) -> None:
        self._known = known
        self._identities = identities.IdentityFiles()
        self._cache = cache
        self._passwords = passwords

    def __call__(self, stream: ByteStream, route: Route) -> paramiko.Transport:
        """Return an authenticated connection over the stream. Raises Unreachable."""
        known = list(self._known.of(route))
        transport = negotiate(stream, route, known)
        try:
            hostkeys.check(route, known, offered_host_key(transport, route))
            self._authenticate(transport, route)
        except BaseException:
            transport.close()
            stream.close()
            raise
        return transport

    def _authenticate(self, transport: paramiko.Transport, route: Route) -> None:
        slot = f"key:{route.name}"
        remembered = (self._cache.get(slot) or b"").decode("ascii", "replace")
        offers = identities.IdentityOrder(route, self._identities, remembered)
        attempts = _Attempts(transport, route)
        try:
            if route.password is not None and (not route.identities or not self._with_keys(attempts, offers, slot)):
                if self._with_password(attempts, route.password):
                    return
            elif route.password is not None or self._with_keys(attempts, offers, slot):
                return
            raise attempts.failure(offers.left_out)
        finally:
            offers.close()

    def _with_password(self, attempts: "_Attempts", secret: Secret) -> bool:
        """Return whether the password was accepted. Raises Unreachable if it was wrong before, UsageError."""
        route = attempts.route
        try:
            with self._passwords.attempt(secret, "login", route.name) as attempt:
                word: Any = attempt.password.encode("utf-8", "surrogateescape")  # it may use another encoding
                right = attempts(partial(attempts.transport.auth_password, route.user, word), "the password")
                attempt.taken = attempts.accepted
                return right
        except MemberFault as fault:
            raise Unreachable(route.name, fault.what, fault.todo, "auth") from None

    def _with_keys(self, attempts: "_Attempts", offers: identities.IdentityOrder, slot: str) -> bool:
        for offer in offers:
            if attempts.over:
                return False
            if attempts(partial(attempts.transport.auth_publickey, attempts.route.user, offer.key), offer.label):
                if (self._cache.get(slot) or b"") != offer.fingerprint.encode():
                    self._cache.put(slot, offer.fingerprint.encode())
                return True
        return False


class _Attempts:
    """The attempts of one login, and the server's reactions."""

    def __init__(self, transport: paramiko.Transport, route: Route) -> None:
        self.transport = transport
        self.route = route
        self.labels: list[str] = []
        self.over = False
        self.accepted: bool | None = None
        """Of the last attempt: whether it succeeded, perhaps as one of several required; None: undecided."""
        self._wants = ""

    def __call__(self, attempt: Callable[[], list[str]], label: str) -> bool:
        """Return whether the server let us in. Raises Unreachable if the connection was lost."""
        self.labels.append(label)
        self.accepted = None
        try:
            more = attempt()
        except paramiko.BadAuthenticationType as fault:
            self._wants = f"it allows only {', '.join(fault.allowed_types)}"
            self.over = "publickey" not in fault.allowed_types
        except (paramiko.AuthenticationException, paramiko.SSHException, EOFError, OSError) as fault:
            self.over = not self.transport.is_active() or "timeout" in str(fault).lower()
            self._wants = "no answer in time" if self.over and self.transport.is_active() else ""
            if isinstance(fault, paramiko.AuthenticationException) and "timeout" not in str(fault).lower():
                self.accepted = False
        else:
            self.accepted = True
            self._wants = f"it also wants {', '.join(more)}" if more else ""
            self.over = bool(more)
            return not more
        return False

    def failure(self, left_out: list[str]) -> Unreachable:
        """Return the error of a failed login, with the attempts."""
        route = self.route
        many = len(self.labels)
        what = f"{route} accepted none of {many} ({', '.join(self.labels)})" if many else f"{route}: no key to offer"
        if many and not self.transport.is_active():
            what = f"{route} hung up after {many} {'try' if many == 1 else 'tries'} ({', '.join(self.labels)})"
        notes = [note for note in (self._wants, *left_out) if note]
        if notes:
            what += "; " + "; ".join(notes)
        todo = f"set `ssh.user` and `ssh.identity`, or add your public key to ~{route.user}/.ssh/authorized_keys"
        return Unreachable(route.name, what, todo, "auth")
