"""A command on one channel of a connection, without a thread of its own; where argv becomes a command line."""

import shlex
import signal
import threading
import time
from collections.abc import Sequence
from functools import partial

import paramiko
from paramiko.common import MSG_CHANNEL_REQUEST, cMSG_CHANNEL_REQUEST

from multiall_cli.adapters.time_budget import LEAST_RATE
from multiall_cli.domain.errors import MemberFault, Unreachable

ALL = 1 << 22  # more than a window: whatever has come is taken in one piece
PIECE = 1 << 15
GRACE = 1.0  # seconds in which a connection whose channel ended without a word must have ended too


def command_line(argv: Sequence[str]) -> tuple[str, bytes]:
    """The argv as a line for the member's login shell, and what goes before its input.

    A quoted backslash means something to fish, a quoted newline or exclamation mark to csh; an argv with one of
    those travels as input of sh. sh reads it byte by byte, so the command's own input begins right behind it.
    """
    line = shlex.join(argv)
    if not any(sign in line for sign in "\\\n!"):
        return line, b""
    script = "n=$(printf '\\012_') n=${n%_}; exec " + " ".join(map(_newlines, argv)) + "\n"
    return "sh -c 'IFS= read -r line; eval \"$line\"'", script.encode("utf-8", "surrogateescape")


def _newlines(word: str) -> str:
    return '"$n"'.join(shlex.quote(part) for part in word.split("\n")) if "\n" in word else shlex.quote(word)


def watch_signals(transport: paramiko.Transport) -> None:
    """Make a channel's exit code 128 + n where signal n ended its command; paramiko passes that message over."""
    table = transport._channel_handler_table  # type: ignore[attr-defined]
    usual = table[MSG_CHANNEL_REQUEST]
    transport._channel_handler_table = {**table, MSG_CHANNEL_REQUEST: partial(_request, usual)}  # type: ignore[attr-defined]


def _request(usual, channel: paramiko.Channel, message: paramiko.Message) -> None:  # type: ignore[no-untyped-def]
    seen = paramiko.Message(message.get_remainder())
    if seen.get_text() != "exit-signal":
        usual(channel, message)
        return
    seen.get_boolean()
    name = "SIG" + seen.get_text().partition("@")[0]
    channel.exit_status = 128 + (signal.Signals[name] if name in signal.Signals.__members__ else signal.SIGKILL)
    channel.status_event.set()


class ChannelProcess:
    """A command on a channel, as a Pipe."""

    def __init__(self, channel: paramiko.Channel, who: str, timeout: float) -> None:
        """`who`: the server's name for messages; `timeout`: seconds that its input may stay unread."""
        self._channel = channel
        self._who = who
        self._timeout = timeout
        self._came = threading.Event()
        channel.settimeout(timeout)
        channel.in_buffer.set_event(self._came)
        channel.in_stderr_buffer.set_event(self._came)

    def send(self, piece: bytes) -> None:
        view = memoryview(piece)
        until = time.monotonic() + self._timeout + len(piece) / LEAST_RATE
        try:
            while view:
                sent = self._channel.send(bytes(view[:PIECE]))
                if not sent:
                    raise OSError
                view = view[sent:]
                if view and time.monotonic() > until:  # it takes a byte now and then
                    raise TimeoutError
        except TimeoutError:
            what = f"it took no input for {self._timeout:g} s, or hardly any"
            raise Unreachable(
                self._who, what, "look at its load, or give it longer with --timeout", "timeout"
            ) from None
        except (OSError, EOFError, paramiko.SSHException):
            raise self._cut() or BrokenPipeError() from None

    def finish(self) -> None:
        try:
            self._channel.shutdown_write()
        except (OSError, EOFError, paramiko.SSHException):
            raise self._cut() or BrokenPipeError() from None

    def receive(self, timeout: float) -> tuple[str, bytes] | None:
        channel = self._channel
        deadline = 0.0
        while True:
            # Cleared before the buffers are looked at: what comes after the look sets it again.
            self._came.clear()
            ended = channel.eof_received or channel.closed
            if channel.in_buffer.read_ready():
                return "stdout", self._take(channel.recv)
            if channel.in_stderr_buffer.read_ready():
                return "stderr", self._take(channel.recv_stderr)
            if ended:
                if channel.exit_status == -1 and channel.closed and (cut := self._cut()):
                    raise cut
                return None
            deadline = deadline or time.monotonic() + timeout
            if not self._came.wait(max(0.0, deadline - time.monotonic())):
                raise TimeoutError

    def _take(self, read) -> bytes:  # type: ignore[no-untyped-def]
        try:
            piece: bytes = read(ALL)
        except (EOFError, OSError, paramiko.SSHException):  # it could not be told that there is room again
            raise self._cut() or BrokenPipeError() from None
        return piece

    def ready(self) -> bool:
        channel = self._channel
        return bool(
            channel.in_buffer.read_ready()
            or channel.in_stderr_buffer.read_ready()
            or channel.eof_received
            or channel.closed
        )

    def exit_code(self) -> int:
        """Errors: TimeoutError where the streams ended and the command did not; Unreachable; MemberFault."""
        if not self._channel.status_event.wait(self._timeout):
            raise TimeoutError
        if self._channel.exit_status != -1:
            return self._channel.exit_status
        raise self._cut() or MemberFault(
            self._who, "its sshd did not run the command", "see whether the account may run commands (ForceCommand)"
        )

    def _cut(self) -> Unreachable | None:
        """The end of the whole connection, if that is what happened."""
        transport = self._channel.get_transport()
        # Channels are told before the connection is marked as ended: its thread is what tells the two apart.
        transport.join(GRACE)
        if transport.is_alive():
            return None
        return _was_cut(transport, self._who)

    def close(self) -> None:
        try:
            self._channel.close()
        except (OSError, EOFError, paramiko.SSHException):
            return  # the connection is gone, and the channel with it


def start(transport: paramiko.Transport, who: str, timeout: float, argv: Sequence[str]) -> ChannelProcess:
    """Start a command. Its acceptance is not waited for: that would be a round trip more. Errors: Unreachable."""
    line, before = command_line(argv)
    try:
        channel = transport.open_session(timeout=timeout)
        message = paramiko.Message()
        message.add_byte(cMSG_CHANNEL_REQUEST)
        message.add_int(channel.remote_chanid)
        message.add_string("exec")
        message.add_boolean(True)  # a refusal closes the channel, which `exit_code` tells
        message.add_string(line.encode("utf-8", "surrogateescape"))
        transport._send_user_message(message)  # type: ignore[attr-defined]
    except (paramiko.SSHException, OSError, EOFError) as fault:
        if transport.is_active():
            what = f"it opens no further channel ({fault})"
            raise Unreachable(who, what, "look at MaxSessions and the load of its sshd", "away") from None
        raise _was_cut(transport, who) from None
    pipe = ChannelProcess(channel, who, timeout)
    if before:
        pipe.send(before)
    return pipe


def _was_cut(transport: paramiko.Transport, who: str) -> Unreachable:
    words = getattr(transport.sock, "gave_up", "") or str(transport.saved_exception or "") or "the other side closed it"
    return Unreachable(who, f"the connection was cut: {words}", "run again when it is back", "away")
