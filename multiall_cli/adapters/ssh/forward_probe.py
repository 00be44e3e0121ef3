"""Probes ports through a server's own sshd: a forwarding channel to a port is a TCP connection that sshd opens.

Nothing runs on the server. paramiko reports only the number of a failure's reason; the text, which distinguishes a
refusal from a timeout, goes to its log. So this module opens channels and reads the answers itself.
"""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial

import paramiko
from paramiko.common import MSG_CHANNEL_OPEN_FAILURE, MSG_CHANNEL_OPEN_SUCCESS, cMSG_CHANNEL_OPEN

from multiall_cli.adapters.ssh.keepalive import Keepalive
from multiall_cli.domain.dataclass import dataclass
from multiall_cli.domain.topology import Rung

PROHIBITED = 1  # RFC 4254 section 5.1: administratively prohibited
AT_ONCE = 64  # channels that one sshd opens for us at the same time

_WORDS = (
    ("refused", Rung.REFUSED),
    ("timed out", Rung.TIMEOUT),
    ("no route", Rung.NO_ROUTE),
    ("unreachable", Rung.NO_ROUTE),
)


@dataclass(frozen=True, slots=True)
class ForwardResult:
    """Result and seconds. `rung` None: nothing is known; `allowed`: whether the server allows forwarding."""

    rung: Rung | None
    took: float
    allowed: bool = True


@dataclass(slots=True)
class _PendingForward:
    """A requested channel and its answer."""

    channel: paramiko.Channel
    answered: threading.Event  # set after the other fields
    asked: float
    heard: float = 0.0
    refusal: tuple[int, str] | None = None


class ForwardProbe:
    """Probes ports from the other side of an open connection. For one thread at a time."""

    def __init__(self, transport: paramiko.Transport, pulse: Keepalive) -> None:
        self._transport = transport
        self._pulse = pulse
        self._wishes: dict[int, _PendingForward] = {}
        self._late: list[_PendingForward] = []
        handlers = transport._handler_table  # type: ignore[attr-defined]
        ours = {
            MSG_CHANNEL_OPEN_FAILURE: partial(self._refused, handlers[MSG_CHANNEL_OPEN_FAILURE]),
            MSG_CHANNEL_OPEN_SUCCESS: partial(self._opened, handlers[MSG_CHANNEL_OPEN_SUCCESS]),
        }
        transport._handler_table = {**handlers, **ours}  # type: ignore[attr-defined]

    def _opened(self, usual: Callable[[paramiko.Message], None], message: paramiko.Message) -> None:
        self._heard(paramiko.Message(message.get_remainder()))
        usual(message)

    def _refused(self, usual: Callable[[paramiko.Message], None], message: paramiko.Message) -> None:
        seen = paramiko.Message(message.get_remainder())
        wish = self._heard(seen)
        if wish is not None:
            wish.refusal = (seen.get_int(), seen.get_string().decode("utf-8", "replace"))
        usual(message)

    def _heard(self, seen: paramiko.Message) -> _PendingForward | None:
        wish = self._wishes.get(seen.get_int())
        if wish is not None:
            wish.heard = time.monotonic()
        return wish

    def try_ports(self, doors: Sequence[tuple[str, int]], timeout: float) -> list[ForwardResult]:
        """Return the result of each port, in the same order; `timeout`: seconds that each may take.

        Raises OSError, SSHException.
        """
        self.close_late()
        parts = [doors[start : start + AT_ONCE] for start in range(0, len(doors), AT_ONCE)]
        return [met for part in parts for met in self._try(part, timeout)]

    def _try(self, doors: Sequence[tuple[str, int]], timeout: float) -> Iterator[ForwardResult]:
        # A timeout counts only from when the server itself answers: before that, the server or the way to it is slow.
        self._pulse.ask()
        wishes = [self._ask(address, port) for address, port in doors]
        speaks = self._pulse.answered(time.monotonic() + timeout) is not None
        until = (self._pulse.heard if speaks else time.monotonic()) + timeout
        for wish in wishes:
            wish.answered.wait(max(0.0, until - time.monotonic()))
            if not self._transport.is_active():
                raise paramiko.SSHException("the connection was cut")
        for wish in wishes:
            yield self._met(wish, timeout, speaks=speaks)

    def _met(self, wish: _PendingForward, timeout: float, *, speaks: bool) -> ForwardResult:
        if not wish.answered.is_set():
            self._late.append(wish)  # sshd keeps trying; close the channel when it opens
            return ForwardResult(Rung.TIMEOUT if speaks else None, timeout)
        del self._wishes[wish.channel.chanid]
        if not wish.heard:
            raise paramiko.SSHException("the connection was cut")
        took = wish.heard - wish.asked
        if wish.refusal is not None:
            return _refusal(*wish.refusal, took)
        wish.channel.close()
        return ForwardResult(Rung.TCP, took)

    def close_late(self) -> None:
        """Close channels that opened after their timeout."""
        late, self._late = self._late, []
        for wish in late:
            if not wish.answered.is_set():
                self._late.append(wish)
                continue
            del self._wishes[wish.channel.chanid]
            if wish.refusal is None:
                wish.channel.close()

    def _ask(self, address: str, port: int) -> _PendingForward:
        """Request a channel as paramiko's `open_channel` does, without waiting for the answer."""
        transport, opened = self._transport, threading.Event()
        with transport.lock:
            number = transport._next_channel()  # type: ignore[attr-defined]
            channel = paramiko.Channel(number)
            transport._channels.put(number, channel)  # type: ignore[attr-defined]
            transport.channel_events[number] = opened
            transport.channels_seen[number] = True
            channel._set_transport(transport)  # type: ignore[attr-defined]
            channel._set_window(transport.default_window_size, transport.default_max_packet_size)  # type: ignore[attr-defined]
        wish = self._wishes[number] = _PendingForward(channel, opened, time.monotonic())
        message = paramiko.Message()
        message.add_byte(cMSG_CHANNEL_OPEN)
        message.add_string("direct-tcpip")
        message.add_int(number)
        message.add_int(transport.default_window_size)
        message.add_int(transport.default_max_packet_size)
        message.add_string(address)
        message.add_int(port)
        message.add_string("127.0.0.1")
        message.add_int(0)
        transport._send_user_message(message)  # type: ignore[attr-defined]
        return wish


def _refusal(reason: int, words: str, took: float) -> ForwardResult:
    """Return the meaning of OpenSSH's text; unknown text means that nothing is known."""
    if reason == PROHIBITED:
        return ForwardResult(None, took, allowed=False)
    lower = words.lower()
    return ForwardResult(next((rung for sign, rung in _WORDS if sign in lower), None), took)
