"""Starts a command through sudo or su with a declared password; sends no input before the command runs."""

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

MOST_SAID = 1 << 16  # bytes that sudo, PAM and login scripts may print before the command starts
PAUSE = 0.3  # seconds after which an unfinished line counts as a prompt and not as a message still arriving
DECIDES = 30.0  # least seconds that a member gets to check a password: an undecided one is tried elsewhere


class Elevation:
    """One start of a command through sudo or su, until the command runs.

    The driver makes a random prompt, so the words of sudo are not parsed. Any other prompt is recognized by its missing
    line end. The command's shell first prints a second random word and drops all input until it reads a third one: so
    no program output is taken for a prompt, and no password reaches the command as input.
    """

    def __init__(self, process: Process, server: str, become: Become, signs: driver.GateTokens) -> None:
        self._process = process
        self._server = server
        self._become = become
        self._signs = signs
        self._output = {"stdout": b"", "stderr": b""}
        self._sent = False

    def wait(self, attempt: PasswordAttempt | None, timeout: float) -> None:
        """Wait until the command accepts input; sending the password starts a new time limit.

        Raises MemberFault, Unreachable.
        """
        until = time.monotonic() + timeout
        while self._signs.through.encode() not in self._output["stdout"]:
            has_prompt = not self._sent and self._has_prompt()
            if self._sent and self._count_prompts() > 1:
                raise self._error(attempt, "it asked for the password again", wrong=True)
            if has_prompt and (
                self._count_prompts() or not self._receive(attempt, time.monotonic() + PAUSE, quiet=True)
            ):
                self._send_password(attempt)
                until = time.monotonic() + max(timeout, DECIDES)
            elif not has_prompt:
                self._receive(attempt, until)
        if self._sent and attempt is not None:
            attempt.taken = True

    def _count_prompts(self) -> int:
        return self._output["stderr"].count(self._signs.prompt.encode())

    def _has_prompt(self) -> bool:
        """Return whether the last line is unfinished: messages end their lines, prompts do not."""
        return any(text and not text.endswith(b"\n") for text in self._output.values())

    def _send_password(self, attempt: PasswordAttempt | None) -> None:
        if attempt is None:
            raise driver.password_missing(self._server, self._become)
        self._sent = True
        try:
            self._process.send(attempt.password.encode("utf-8", "surrogateescape") + b"\n")
        except BrokenPipeError:
            return  # the command has ended; its output says why

    def _receive(self, attempt: PasswordAttempt | None, until: float, *, quiet: bool = False) -> bool:
        """Read the next output; with `quiet`, a timeout returns False. Raises MemberFault."""
        try:
            output = self._process.receive(max(0.0, until - time.monotonic()))
        except TimeoutError:
            if quiet:
                return False
            raise self._error(attempt, "no answer in time", wrong=False) from None
        if output is None:
            raise self._error(attempt, "", wrong=self._sent)
        self._output[output[0]] += output[1]
        if sum(map(len, self._output.values())) > MOST_SAID:
            raise self._error(attempt, f"it printed more than {MOST_SAID} bytes", wrong=False)
        return True

    def _error(self, attempt: PasswordAttempt | None, why: str, *, wrong: bool) -> MemberFault:
        if wrong and attempt is not None:
            attempt.taken = False
        words = (self._output["stderr"] or self._output["stdout"]).replace(self._signs.prompt.encode(), b"")
        return driver.become_refused(self._server, self._become, why, words, password=self._sent)


def start_elevated(
    start: StartProcess,
    argv: Sequence[str],
    become: Become,
    server: str,
    passwords: Passwords,
    secret: Secret | None,
    timeout: float,
) -> tuple[Process, bytes]:
    """Start a command that waits; return it and the line that must be sent before its input.

    The password is looked up before sudo starts, because a prompt without an answer counts as a failed login too.
    Raises MemberFault, Unreachable, UsageError.
    """
    signs = driver.GateTokens(*(f"multiall-{secrets.token_hex(8)}" for _ in range(3)))
    purpose = f"{become.method.value} {become.user}"
    with nullcontext() if secret is None else passwords.attempt(secret, purpose, server) as attempt:
        process = start(driver.gate_command(become, argv, signs))
        try:
            Elevation(process, server, become, signs).wait(attempt, timeout)
        except BaseException:
            process.close()
            raise
    return process, f"{signs.go}\n".encode()
