"""Starts a command with other rights where a password is declared: nothing of ours is sent before they are given."""

import secrets
import time
from collections.abc import Sequence
from contextlib import nullcontext

from multiall_cli.adapters.passwords import PasswordAttempt, Passwords
from multiall_cli.adapters.process import Process, StartProcess
from multiall_cli.domain.errors import MemberFault
from multiall_cli.domain.inventory import Become
from multiall_cli.domain.values import Secret
from multiall_cli.drivers import become as driver

MOST_SAID = 1 << 16  # bytes that sudo, PAM and login scripts may say before the command starts
PAUSE = 0.3  # seconds after which a line that is not ended is a prompt, and no message on its way
DECIDES = 30.0  # seconds that a member may always take over a password: one given up undecided is tried elsewhere


class Elevation:
    """One start of a command through sudo or su, until it was let through.

    The driver's prompt is a random word, so no words of sudo are read; of another prompt we know that it does not end
    its line. The command's shell prints another random word first and drops all input until a third one, so that
    neither a program is read as a password nor a password as a command's input.
    """

    def __init__(self, pipe: Process, who: str, become: Become, signs: driver.GateTokens) -> None:
        self._pipe = pipe
        self._who = who
        self._become = become
        self._signs = signs
        self._said = {"stdout": b"", "stderr": b""}
        self._sent = False

    def wait(self, attempt: PasswordAttempt | None, timeout: float) -> None:
        """Until the command may be given its input; a new limit begins when the password is sent.

        Errors: MemberFault, Unreachable.
        """
        until = time.monotonic() + timeout
        while self._signs.through.encode() not in self._said["stdout"]:
            asks = not self._sent and self._asks()
            if self._sent and self._prompts() > 1:
                raise self._refused(attempt, "it asked again", wrong=True)
            if asks and (self._prompts() or not self._hear(attempt, time.monotonic() + PAUSE, quiet=True)):
                self._answer(attempt)
                until = time.monotonic() + max(timeout, DECIDES)
            elif not asks:
                self._hear(attempt, until)
        if self._sent and attempt is not None:
            attempt.taken = True

    def _prompts(self) -> int:
        return self._said["stderr"].count(self._signs.prompt.encode())

    def _asks(self) -> bool:
        """Whether there is a line that is not ended: messages end theirs, a prompt does not."""
        return any(said and not said.endswith(b"\n") for said in self._said.values())

    def _answer(self, attempt: PasswordAttempt | None) -> None:
        if attempt is None:
            raise driver.password_missing(self._who, self._become)
        self._sent = True
        try:
            self._pipe.send(attempt.password.encode("utf-8", "surrogateescape") + b"\n")
        except BrokenPipeError:
            return  # the command has ended; its output says why

    def _hear(self, attempt: PasswordAttempt | None, until: float, *, quiet: bool = False) -> bool:
        """Take what comes next; `quiet`: it may be nothing. Errors: MemberFault."""
        try:
            output = self._pipe.receive(max(0.0, until - time.monotonic()))
        except TimeoutError:
            if quiet:
                return False
            raise self._refused(attempt, "it gave no answer in time", wrong=False) from None
        if output is None:
            raise self._refused(attempt, "", wrong=self._sent)
        self._said[output[0]] += output[1]
        if sum(map(len, self._said.values())) > MOST_SAID:
            raise self._refused(attempt, f"it said more than {MOST_SAID} bytes", wrong=False)
        return True

    def _refused(self, attempt: PasswordAttempt | None, why: str, *, wrong: bool) -> MemberFault:
        if wrong and attempt is not None:
            attempt.taken = False
        words = (self._said["stderr"] or self._said["stdout"]).replace(self._signs.prompt.encode(), b"")
        return driver.become_refused(self._who, self._become, why, words, password=self._sent)


def start_elevated(
    start: StartProcess,
    argv: Sequence[str],
    become: Become,
    who: str,
    passwords: Passwords,
    secret: Secret | None,
    timeout: float,
) -> tuple[Process, bytes]:
    """The command, which waits, and what must be sent to it before its input.

    A password is tried before sudo is started, not when it asks: a prompt that gets no answer counts as a failure too.
    Errors: MemberFault, Unreachable, UsageError.
    """
    signs = driver.GateTokens(*(f"multiall-{secrets.token_hex(8)}" for _ in range(3)))
    purpose = f"{become.method.value} {become.user}"
    with nullcontext() if secret is None else passwords.attempt(secret, purpose, who) as attempt:
        pipe = start(driver.gate_command(become, argv, signs))
        try:
            Elevation(pipe, who, become, signs).wait(attempt, timeout)
        except BaseException:
            pipe.close()
            raise
    return pipe, f"{signs.go}\n".encode()
