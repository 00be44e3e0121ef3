"""Keepalives: a request that every sshd answers, sent over many open connections at once."""

import threading
import time
from collections.abc import Callable
from functools import partial

import paramiko
from paramiko.common import MSG_REQUEST_FAILURE, MSG_REQUEST_SUCCESS, cMSG_GLOBAL_REQUEST

KEEPALIVE = "keepalive@openssh.com"  # no server implements it: the refusal is the answer


class Keepalive:
    """Keepalives of one connection. For one thread at a time."""

    def __init__(self, connection: paramiko.Transport) -> None:
        self._connection = connection
        self._answered = threading.Event()
        self._sent_at = self._answered_at = 0.0
        handlers = connection._handler_table  # type: ignore[attr-defined]
        wrapped = {
            sign: partial(self._on_answer, handlers[sign]) for sign in (MSG_REQUEST_SUCCESS, MSG_REQUEST_FAILURE)
        }
        connection._handler_table = {**handlers, **wrapped}  # type: ignore[attr-defined]

    def _on_answer(self, usual: Callable[[paramiko.Message], None], message: paramiko.Message) -> None:
        self._answered_at = time.monotonic()
        self._answered.set()
        usual(message)

    def send(self) -> None:
        self._answered.clear()
        self._sent_at = time.monotonic()
        if not self._connection.clear_to_send.is_set():
            return  # the server began a new key exchange and does not end it: no answer
        message = paramiko.Message()
        message.add_byte(cMSG_GLOBAL_REQUEST)
        message.add_string(KEEPALIVE)
        message.add_boolean(True)
        try:
            self._connection._send_user_message(message)  # type: ignore[attr-defined]
        except (paramiko.SSHException, OSError, EOFError):
            return  # the connection has ended: no answer

    def wait_for_answer(self, until: float) -> float | None:
        """Return the seconds that the answer took; None if there is none until `until` (time.monotonic)."""
        if self._connection.is_active() and self._answered.wait(max(0.0, until - time.monotonic())):
            return self._answered_at - self._sent_at
        return None

    @property
    def answered_at(self) -> float:
        """Time of the answer (time.monotonic)."""
        return self._answered_at
