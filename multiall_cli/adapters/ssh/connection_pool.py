"""Connections that a watch keeps open between rounds."""

import threading
from collections.abc import Sequence, Set
from time import monotonic
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from multiall_cli.adapters.ssh.peer import Peer

SHORT = 60.0  # seconds that a connection must have lasted before its successor is pooled at once
AVOIDED = 600.0  # seconds in which connections of a server are not pooled after a short one


class ConnectionPool:
    """At most `most` open connections, by server name. Safe to use from many threads."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._open: dict[str, Peer] = {}
        self._short_lived: dict[str, float] = {}
        self._lock = threading.Lock()
        self._lost = threading.Event()

    def get(self, name: str) -> "Peer | None":
        return self._open.get(name)

    def has_lost(self) -> bool:
        """Return whether a connection has ended since the last keepalive."""
        return self._lost.is_set()

    def would_pool(self, names: Sequence[str]) -> Set[str]:
        """Return the servers, in this order, whose connection would be pooled; not those with a short one recently."""
        room, now = self._most - len(self._open), monotonic()
        wanted = [name for name in names if name not in self._open and self._not_before(name) <= now]
        return set(wanted[: max(0, room)])

    def add(self, peer: "Peer") -> None:
        """Pool a connection if there is room; it replaces the server's previous one."""
        name = peer.server.name
        self._drop(name)
        with self._lock:
            if len(self._open) >= self._most or self._not_before(name) > monotonic():
                return
            peer.is_pooled = True
            self._open[name] = peer
        peer.connection.on_end(self._lost.set)

    def alive(self, names: Sequence[str], timeout: float) -> tuple[dict[str, float], set[str]]:
        """Send a keepalive to the pooled ones of these servers; return name → seconds, and the names without an answer.

        Those are closed. All are asked at once, and each may take `timeout` seconds.
        """
        self._lost.clear()
        peers = {name: pooled for name in names if (pooled := self._open.get(name)) is not None}
        for each in peers.values():
            each.keepalive.send()
        until = monotonic() + timeout
        found: dict[str, float] = {}
        lost = set()
        for name, each in peers.items():
            took = each.keepalive.wait_for_answer(until)
            each.forwards.close_late()
            if took is not None:
                found[name] = took
                continue
            self._drop(name)
            self._note_end(name, each.began)
            lost.add(name)
        return found, lost

    def _not_before(self, name: str) -> float:
        return self._short_lived.get(name, 0.0)

    def _note_end(self, name: str, began: float) -> None:
        """Remember a short-lived connection: without this, every round would log in and probe all peers again."""
        if monotonic() - began < SHORT:
            self._short_lived[name] = monotonic() + AVOIDED

    def _drop(self, name: str) -> None:
        with self._lock:
            before = self._open.pop(name, None)
        if before is not None:
            before.connection.on_end(lambda: None)
            before.connection.close()

    def close(self) -> None:
        for name in list(self._open):
            self._drop(name)
