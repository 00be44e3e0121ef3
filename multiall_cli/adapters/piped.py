"""A session over pipes: what ssh, local and memory have in common once they can start a command."""

from collections.abc import Callable, Iterable, Sequence

from multiall_cli.adapters.pipes import Start, complete
from multiall_cli.adapters.resident import ARGUMENTS, Answer, NotStarted, Resident
from multiall_cli.domain.errors import MemberFault
from multiall_cli.domain.inventory import Server
from multiall_cli.domain.values import Secret
from multiall_cli.drivers import become
from multiall_cli.ports import Completed, OnOutput

Reveal = Callable[[Secret], str]
"""Gives what a reference to a secret means. Errors: UsageError."""


class PipedSession:
    """Runs commands and keeps one remote loop, with the server's `become` rights.

    sudo is asked without a password first (-n); only where it wants one, and one is declared, it gets it on
    standard input.
    """

    def __init__(
        self,
        server: Server,
        start: Start,
        timeout: float,
        reveal: Reveal,
        on_close: Callable[[], None] = lambda: None,
        python: str = "python3",
    ) -> None:
        """`start` runs an argv on the server; `timeout`: seconds of silence where a call names none."""
        self.server = server
        self._python = python
        self._start = start
        self._timeout = timeout
        self._reveal = reveal
        self._on_close = on_close
        self._resident: Resident | None = None
        self._password = b""

    def run(
        self,
        argv: Sequence[str],
        stdin: bytes = b"",
        timeout: float | None = None,
        on_output: OnOutput | None = None,
    ) -> Completed:
        limit = self._timeout if timeout is None else timeout
        while True:
            pipe = self._start([*self._prefix(), *argv])
            done = complete(pipe, argv, self._password + stdin, limit, on_output, self.server.name)
            if done.exit_code == 0 or not self._ask_password(done.stderr.head):
                return done

    def call(
        self,
        operation: str,
        payload: Iterable[bytes] = (),
        timeout: float | None = None,
        ends: float | None = None,
        **arguments: object,
    ) -> Answer:
        limit = self._timeout if timeout is None else timeout
        if self._resident is None:
            self._resident = self._greeted(limit)
        return self._resident.call(operation, payload, limit, arguments, ends)

    def _greeted(self, timeout: float) -> Resident:
        """A loop that answers; with `become`, after it has been asked once, so that a refusal is told as one."""
        while True:
            resident = Resident(
                self._start([*self._prefix(), self._python, *ARGUMENTS]), self.server.name, self._password
            )
            if not self._prefix():
                return resident
            try:
                resident.call("ping", (), timeout, {}).value()
            except NotStarted as fault:
                resident.close()
                if self._ask_password(fault.stderr):
                    continue
                if words := become.refusal(self.server.become, fault.stderr):
                    raise MemberFault(
                        self.server.name, f"`become` was refused ({words})", "see `multiall doctor --sudoers`"
                    ) from None
                raise
            return resident

    def _prefix(self) -> Sequence[str]:
        return become.prefix(self.server.become, with_password=bool(self._password))

    def _ask_password(self, stderr: bytes) -> bool:
        """Whether a password was wanted and there is now one to try. Errors: MemberFault where there is none."""
        if not become.wants_password(self.server.become, stderr) or self._password:
            return False
        secret = self.server.become.password
        if secret is None:
            method = self.server.become.method.value
            raise MemberFault(
                self.server.name,
                f"{method} wants a password and none is declared",
                f"allow it without (`multiall doctor --sudoers` prints the line) or declare "
                f"`become: {{method: {method}, password: '${{env:NAME}}'}}`",
            )
        self._password = self._reveal(secret).encode() + b"\n"
        return True

    def close(self) -> None:
        if self._resident is not None:
            self._resident.close()
            self._resident = None
        self._on_close()
