"""A command on one channel of a connection, without its own thread; also turns argv into a command line."""

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

ALL = 1 << 22  # more than a window: read everything received at once
PIECE = 1 << 15
GRACE = 1.0  # seconds to wait for the end of the connection after a channel ended without an exit code


def command_line(argv: Sequence[str]) -> tuple[str, bytes]:
    """Return argv as a line for the member's login shell, and the bytes to send before its input.

    fish interprets a quoted backslash, csh a quoted newline or exclamation mark; such an argv is sent to sh as input.
    sh reads it byte by byte, so the command's own input follows directly.
    """
    line = shlex.join(argv)
    if not any(sign in line for sign in "\\\n!"):
        return line, b""
    script = "n=$(printf '\\012_') n=${n%_}; exec " + " ".join(map(_newlines, argv)) + "\n"
    return "sh -c 'IFS= read -r line; eval \"$line\"'", script.encode("utf-8", "surrogateescape")


def _newlines(word: str) -> str:
    return '"$n"'.join(shlex.quote(part) for part in word.split("\n")) if "\n" in word else shlex.quote(word)


def watch_signals(transport: paramiko.Transport) -> None:
    """Set a channel's exit code to 128 + n if signal n ended its command; paramiko ignores that message."""
    table = transport._channel_handler_table  # type: ignore[attr-defined]
    usual = table[MSG_CHANNEL_REQUEST]
    transport._channel_handler_table = {**table, MSG_CHANNEL_REQUEST: partial(_request, usual)}  # type: ignore[attr-defined]


def _request(usual, channel: paramiko.Channel, message: paramiko.Message) -> None:  # type: ignore[no-untyped-def]
    parsed = paramiko.Message(message.get_remainder())
    if parsed.get_text() != "exit-signal":
        usual(channel, message)
        return
    parsed.get_boolean()
    name = "SIG" + parsed.get_text().partition("@")[0]
    channel.exit_status = 128 + (signal.Signals[name] if name in signal.Signals.__members__ else signal.SIGKILL)
    channel.status_event.set()


class ChannelProcess:
    """A command on a channel, as a Process."""

    def __init__(self, channel: paramiko.Channel, server: str, timeout: float) -> None:
        """`server`: the server's name in messages; `timeout`: seconds that its input may stay unread."""
        self._channel = channel
        self._server = server
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
                if view and time.monotonic() > until:  # it reads, but too slowly
                    raise TimeoutError
        except TimeoutError:
            what = f"it read no input for {self._timeout:g} s, or too little"
            raise Unreachable(
                self._server, what, "check its load, or raise the limit with --timeout", "timeout"
            ) from None
        except (OSError, EOFError, paramiko.SSHException):
            raise self._connection_error() or BrokenPipeError() from None

    def finish(self) -> None:
        try:
            self._channel.shutdown_write()
        except (OSError, EOFError, paramiko.SSHException):
            raise self._connection_error() or BrokenPipeError() from None

    def receive(self, timeout: float) -> tuple[str, bytes] | None:
        channel = self._channel
        deadline = 0.0
        while True:
            # Cleared before the buffers are checked: output that arrives afterwards sets it again.
            self._came.clear()
            ended = channel.eof_received or channel.closed
            if channel.in_buffer.read_ready():
                return "stdout", self._take(channel.recv)
            if channel.in_stderr_buffer.read_ready():
                return "stderr", self._take(channel.recv_stderr)
            if ended:
                if channel.exit_status == -1 and channel.closed and (cut := self._connection_error()):
                    raise cut
                return None
            deadline = deadline or time.monotonic() + timeout
            if not self._came.wait(max(0.0, deadline - time.monotonic())):
                raise TimeoutError

    def _take(self, read) -> bytes:  # type: ignore[no-untyped-def]
        try:
            piece: bytes = read(ALL)
        except (EOFError, OSError, paramiko.SSHException):  # the window could not be enlarged
            raise self._connection_error() or BrokenPipeError() from None
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
        """Raises TimeoutError if the streams ended and the command did not; Unreachable; MemberFault."""
        if not self._channel.status_event.wait(self._timeout):
            raise TimeoutError
        if self._channel.exit_status != -1:
            return self._channel.exit_status
        raise self._connection_error() or MemberFault(
            self._server, "its sshd did not run the command", "check that the account may run commands (ForceCommand)"
        )

    def _connection_error(self) -> Unreachable | None:
        """Return the error if the whole connection has ended."""
        transport = self._channel.get_transport()
        # Channels learn of the end before the connection is marked as ended: wait for its thread.
        transport.join(GRACE)
        if transport.is_alive():
            return None
        return _cut_error(transport, self._server)

    def close(self) -> None:
        try:
            self._channel.close()
        except (OSError, EOFError, paramiko.SSHException):
            return  # the connection is gone, and the channel with it


def start(transport: paramiko.Transport, server: str, timeout: float, argv: Sequence[str]) -> ChannelProcess:
    """Start a command, without waiting for its acceptance: that would cost a round trip. Raises Unreachable."""
    line, before = command_line(argv)
    try:
        channel = transport.open_session(timeout=timeout)
        message = paramiko.Message()
        message.add_byte(cMSG_CHANNEL_REQUEST)
        message.add_int(channel.remote_chanid)
        message.add_string("exec")
        message.add_boolean(True)  # a refusal closes the channel, and `exit_code` reports it
        message.add_string(line.encode("utf-8", "surrogateescape"))
        transport._send_user_message(message)  # type: ignore[attr-defined]
    except (paramiko.SSHException, OSError, EOFError) as fault:
        if transport.is_active():
            what = f"opening another channel failed ({fault})"
            raise Unreachable(server, what, "check MaxSessions and the load of its sshd", "away") from None
        raise _cut_error(transport, server) from None
    process = ChannelProcess(channel, server, timeout)
    if before:
        process.send(before)
    return process


def _cut_error(transport: paramiko.Transport, server: str) -> Unreachable:
    words = (
        getattr(transport.sock, "timeout_reason", "")
        or str(transport.saved_exception or "")
        or "the other side closed it"
    )
    return Unreachable(server, f"the connection was cut: {words}", "run again when it is back", "away")
