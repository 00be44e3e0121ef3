"""A session over processes: the part that ssh, local and memory share."""

from collections.abc import Callable, Iterable, Sequence

from multiall_cli.adapters.elevation import start_elevated
from multiall_cli.adapters.loop_client import LoopClient, LoopNotStarted, LoopReply
from multiall_cli.adapters.passwords import Passwords, Reveal
from multiall_cli.adapters.process import Process, StartProcess, communicate
from multiall_cli.adapters.remote_bundle import ARGUMENTS
from multiall_cli.domain.inventory import BecomeMethod, Server
from multiall_cli.drivers import become
from multiall_cli.ports.session import Completed, OnOutput


class ProcessSession:
    """Runs commands, and at most one remote loop, with the server's `become` privileges.

    sudo and su get a declared password on standard input when they ask for it; without one, sudo never asks (-n).
    """

    def __init__(
        self,
        server: Server,
        start: StartProcess,
        timeout: float,
        reveal: Reveal,
        on_close: Callable[[], None] = lambda: None,
        python: str = "python3",
        passwords: Passwords | None = None,
    ) -> None:
        """`start` runs an argv on the server; `timeout`: default seconds of silence per call; `passwords`: those of the
        run, shared by all its sessions.
        """
        self.server = server
        self._python = python
        self._start = start
        self._timeout = timeout
        self._passwords = passwords or Passwords(reveal)
        self._on_close = on_close
        self._resident: LoopClient | None = None

    def run(
        self,
        argv: Sequence[str],
        stdin: bytes = b"",
        timeout: float | None = None,
        on_output: OnOutput | None = None,
    ) -> Completed:
        limit = self._timeout if timeout is None else timeout
        pipe, before = self._started(argv, limit)
        done = communicate(pipe, argv, before + stdin, limit, on_output, self.server.name)
        if done.exit_code and become.is_password_missing(self.server.become, done.stderr.head):
            raise become.password_missing(self.server.name, self.server.become)
        return done

    def call(
        self,
        operation: str,
        payload: Iterable[bytes] = (),
        timeout: float | None = None,
        ends: float | None = None,
        **arguments: object,
    ) -> LoopReply:
        limit = self._timeout if timeout is None else timeout
        if self._resident is None:
            self._resident = self._greeted(limit)
        return self._resident.call(operation, payload, limit, arguments, ends)

    def _started(self, argv: Sequence[str], timeout: float) -> tuple[Process, bytes]:
        """Start a command with the privileges of `become`; return it and the bytes to send before its input.

        A password costs one more round trip: nothing is sent before sudo accepted it. Raises MemberFault, Unreachable.
        """
        wanted = self.server.become
        secret = self._passwords.declared(wanted)
        if become.reads_password(wanted) and (secret or wanted.method is BecomeMethod.SU):
            return start_elevated(self._start, argv, wanted, self.server.name, self._passwords, secret, timeout)
        return self._start([*become.command_prefix(wanted), *argv]), b""

    def _greeted(self, timeout: float) -> LoopClient:
        """Start a loop; with `become`, call it once, so that a refusal gets its own error."""
        pipe, before = self._started([self._python, *ARGUMENTS], timeout)
        resident = LoopClient(pipe, self.server.name, before)
        if self.server.become.method is BecomeMethod.NONE:
            return resident
        try:
            resident.call("ping", (), timeout, {}).value()
        except LoopNotStarted as fault:
            resident.close()
            if become.is_password_missing(self.server.become, fault.stderr):
                raise become.password_missing(self.server.name, self.server.become) from None
            if become.refusal_reason(self.server.become, fault.stderr):
                raise become.become_refused(
                    self.server.name, self.server.become, "", fault.stderr, password=False
                ) from None
            raise
        return resident

    def close(self) -> None:
        if self._resident is not None:
            self._resident.close()
            self._resident = None
        self._on_close()
