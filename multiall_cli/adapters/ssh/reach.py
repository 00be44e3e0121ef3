"""Asks a server's own sshd whom it reaches: a channel to the other's port is a TCP connection that it makes.

Nothing runs on the server. paramiko tells only a reason's number and writes the words, which tell a refusal from a
silence, to its log: so channels are opened and their refusals read here.
"""

import threading
import time
from collections.abc import Callable
from functools import partial

import paramiko
from paramiko.common import MSG_CHANNEL_OPEN_FAILURE, cMSG_CHANNEL_OPEN

from multiall_cli.domain.topology import Rung

PROHIBITED = 1  # RFC 4254 section 5.1: administratively prohibited

_WORDS = (
    ("refused", Rung.REFUSED),
    ("timed out", Rung.TIMEOUT),
    ("no route", Rung.NO_ROUTE),
    ("unreachable", Rung.NO_ROUTE),
)


class Doors:
    """The ports that an open connection's other side can reach. Safe to use from many threads."""

    def __init__(self, transport: paramiko.Transport) -> None:
        self._transport = transport
        self._refused: dict[int, tuple[int, str]] = {}
        self._late: list[paramiko.Channel] = []
        handlers = transport._handler_table  # type: ignore[attr-defined]
        usual = handlers[MSG_CHANNEL_OPEN_FAILURE]
        transport._handler_table = {**handlers, MSG_CHANNEL_OPEN_FAILURE: partial(self._note, usual)}  # type: ignore[attr-defined]

    def _note(self, usual: Callable[[paramiko.Message], None], message: paramiko.Message) -> None:
        seen = paramiko.Message(message.get_remainder())
        number, reason = seen.get_int(), seen.get_int()
        self._refused[number] = (reason, seen.get_string().decode("utf-8", "replace"))
        usual(message)

    def try_port(self, address: str, port: int, timeout: float) -> tuple[Rung, float] | None:
        """How far it got and in how many seconds; None where it may not be asked. Errors: OSError, SSHException."""
        self._close_late()
        began = time.monotonic()
        channel, opened = self._ask(address, port)
        answered = opened.wait(timeout)
        took = time.monotonic() - began
        if not self._transport.is_active():
            raise paramiko.SSHException("the connection was cut")
        refused = self._refused.pop(channel.chanid, None)
        if refused is not None:
            return _rung(*refused, took)
        if answered:
            channel.close()
            return Rung.TCP, took
        self._late.append(channel)  # sshd goes on trying: what comes of it is closed then
        return (Rung.TIMEOUT, took) if self._answers(timeout) else None

    def _answers(self, timeout: float) -> bool:
        """Whether the other side answers at all: else the silence is its own, or that of our way to it."""
        channel, opened = self._ask("127.0.0.1", 22)
        if not opened.wait(timeout):
            self._late.append(channel)
            return False
        if self._refused.pop(channel.chanid, None) is None:
            channel.close()
        return True

    def _close_late(self) -> None:
        late, self._late = self._late, []
        for channel in late:
            if channel.remote_chanid:
                channel.close()
            elif channel.chanid not in self._refused:
                self._late.append(channel)

    def _ask(self, address: str, port: int) -> tuple[paramiko.Channel, threading.Event]:
        """Send the wish for a channel, as paramiko's `open_channel` does, and do not wait for the answer."""
        transport, opened = self._transport, threading.Event()
        with transport.lock:
            number = transport._next_channel()  # type: ignore[attr-defined]
            channel = paramiko.Channel(number)
            transport._channels.put(number, channel)  # type: ignore[attr-defined]
            transport.channel_events[number] = opened
            transport.channels_seen[number] = True
            channel._set_transport(transport)  # type: ignore[attr-defined]
            channel._set_window(transport.default_window_size, transport.default_max_packet_size)  # type: ignore[attr-defined]
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
        return channel, opened


def _rung(reason: int, words: str, took: float) -> tuple[Rung, float] | None:
    """What the words of OpenSSH mean; where they mean nothing to us, nothing is known."""
    if reason == PROHIBITED:
        return None
    lower = words.lower()
    return next(((rung, took) for sign, rung in _WORDS if sign in lower), None)
