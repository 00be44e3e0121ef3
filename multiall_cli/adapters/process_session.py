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
        self._loop: LoopClient | None = None

    def run(
        self,
        argv: Sequence[str],
        stdin: bytes = b"",
        timeout: float | None = None,
        on_output: OnOutput | None = None,
    ) -> Completed:
        limit = self._timeout if timeout is None else timeout
        process, before = self._start_command(argv, limit)
        done = communicate(process, argv, before + stdin, limit, on_output, self.server.name)
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
        if self._loop is None:
            self._loop = self._start_loop(limit)
        return self._loop.call(operation, payload, limit, arguments, ends)

    def _start_command(self, argv: Sequence[str], timeout: float) -> tuple[Process, bytes]:
        """Start a command with the privileges of `become`; return it and the bytes to send before its input.

        A password costs one more round trip: nothing is sent before sudo accepted it. Raises MemberFault, Unreachable.
        """
        wanted = self.server.become
        secret = self._passwords.secret_for(wanted)
        if become.reads_password(wanted) and (secret or wanted.method is BecomeMethod.SU):
            return start_elevated(self._start, argv, wanted, self.server.name, self._passwords, secret, timeout)
        return self._start([*become.command_prefix(wanted), *argv]), b""

    def _start_loop(self, timeout: float) -> LoopClient:
        """Start a loop; with `become`, call it once, so that a refusal gets its own error."""
        process, before = self._start_command([self._python, *ARGUMENTS], timeout)
        loop = LoopClient(process, self.server.name, before)
        if self.server.become.method is BecomeMethod.NONE:
            return loop
        try:
            loop.call("ping", (), timeout, {}).value()
        except LoopNotStarted as fault:
            loop.close()
            if become.is_password_missing(self.server.become, fault.stderr):
                raise become.password_missing(self.server.name, self.server.become) from None
            if become.refusal_reason(self.server.become, fault.stderr):
                raise become.become_refused(
                    self.server.name, self.server.become, "", fault.stderr, password=False
                ) from None
            raise
        return loop

    def close(self) -> None:
        if self._loop is not None:
            self._loop.close()
            self._loop = None
        self._on_close()
