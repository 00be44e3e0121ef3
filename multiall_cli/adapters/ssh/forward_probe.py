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
from multiall_cli.domain.topology import ProbeLevel

PROHIBITED = 1  # RFC 4254 section 5.1: administratively prohibited
AT_ONCE = 64  # channels that one sshd opens for us at the same time

_WORDS = (
    ("refused", ProbeLevel.REFUSED),
    ("timed out", ProbeLevel.TIMEOUT),
    ("no route", ProbeLevel.NO_ROUTE),
    ("unreachable", ProbeLevel.NO_ROUTE),
)


@dataclass(frozen=True, slots=True)
class ForwardResult:
    """Result and seconds. `rung` None: nothing is known; `allowed`: whether the server allows forwarding."""

    rung: ProbeLevel | None
    took: float
    allowed: bool = True


@dataclass(slots=True)
class _PendingForward:
    """A requested channel and its answer."""

    channel: paramiko.Channel
    answer_event: threading.Event  # set after the other fields
    requested_at: float
    answered_at: float = 0.0
    refusal: tuple[int, str] | None = None


class ForwardProbe:
    """Probes ports from the other side of an open connection. For one thread at a time."""

    def __init__(self, transport: paramiko.Transport, keepalive: Keepalive) -> None:
        self._transport = transport
        self._keepalive = keepalive
        self._pending: dict[int, _PendingForward] = {}
        self._late: list[_PendingForward] = []
        handlers = transport._handler_table  # type: ignore[attr-defined]
        wrapped = {
            MSG_CHANNEL_OPEN_FAILURE: partial(self._on_refusal, handlers[MSG_CHANNEL_OPEN_FAILURE]),
            MSG_CHANNEL_OPEN_SUCCESS: partial(self._on_open, handlers[MSG_CHANNEL_OPEN_SUCCESS]),
        }
        transport._handler_table = {**handlers, **wrapped}  # type: ignore[attr-defined]

    def _on_open(self, usual: Callable[[paramiko.Message], None], message: paramiko.Message) -> None:
        self._note_answer(paramiko.Message(message.get_remainder()))
        usual(message)

    def _on_refusal(self, usual: Callable[[paramiko.Message], None], message: paramiko.Message) -> None:
        parsed = paramiko.Message(message.get_remainder())
        pending = self._note_answer(parsed)
        if pending is not None:
            pending.refusal = (parsed.get_int(), parsed.get_string().decode("utf-8", "replace"))
        usual(message)

    def _note_answer(self, parsed: paramiko.Message) -> _PendingForward | None:
        pending = self._pending.get(parsed.get_int())
        if pending is not None:
            pending.answered_at = time.monotonic()
        return pending

    def try_ports(self, endpoints: Sequence[tuple[str, int]], timeout: float) -> list[ForwardResult]:
        """Return the result of each port, in the same order; `timeout`: seconds that each may take.

        Raises OSError, SSHException.
        """
        self.close_late()
        parts = [endpoints[start : start + AT_ONCE] for start in range(0, len(endpoints), AT_ONCE)]
        return [result for part in parts for result in self._try(part, timeout)]

    def _try(self, endpoints: Sequence[tuple[str, int]], timeout: float) -> Iterator[ForwardResult]:
        # A timeout counts only from when the server itself answers: before that, the server or the way to it is slow.
        self._keepalive.send()
        requests = [self._request(address, port) for address, port in endpoints]
        is_alive = self._keepalive.wait_for_answer(time.monotonic() + timeout) is not None
        until = (self._keepalive.answered_at if is_alive else time.monotonic()) + timeout
        for pending in requests:
            pending.answer_event.wait(max(0.0, until - time.monotonic()))
            if not self._transport.is_active():
                raise paramiko.SSHException("the connection was cut")
        for pending in requests:
            yield self._result(pending, timeout, is_alive=is_alive)

    def _result(self, pending: _PendingForward, timeout: float, *, is_alive: bool) -> ForwardResult:
        if not pending.answer_event.is_set():
            self._late.append(pending)  # sshd keeps trying; close the channel when it opens
            return ForwardResult(ProbeLevel.TIMEOUT if is_alive else None, timeout)
        del self._pending[pending.channel.chanid]
        if not pending.answered_at:
            raise paramiko.SSHException("the connection was cut")
        took = pending.answered_at - pending.requested_at
        if pending.refusal is not None:
            return _refusal(*pending.refusal, took)
        pending.channel.close()
        return ForwardResult(ProbeLevel.TCP, took)

    def close_late(self) -> None:
        """Close channels that opened after their timeout."""
        late, self._late = self._late, []
        for pending in late:
            if not pending.answer_event.is_set():
                self._late.append(pending)
                continue
            del self._pending[pending.channel.chanid]
            if pending.refusal is None:
                pending.channel.close()

    def _request(self, address: str, port: int) -> _PendingForward:
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
        pending = self._pending[number] = _PendingForward(channel, opened, time.monotonic())
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
        return pending


def _refusal(reason: int, words: str, took: float) -> ForwardResult:
    """Return the meaning of OpenSSH's text; unknown text means that nothing is known."""
    if reason == PROHIBITED:
        return ForwardResult(None, took, allowed=False)
    lower = words.lower()
    return ForwardResult(next((rung for sign, rung in _WORDS if sign in lower), None), took)
