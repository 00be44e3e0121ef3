"""Declared passwords: each is tried on one member first, and on no other once it was wrong."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import field

from multiall_cli.domain.dataclass import dataclass
from multiall_cli.domain.errors import MemberFault
from multiall_cli.domain.inventory import Become
from multiall_cli.domain.values import Secret

Reveal = Callable[[Secret], str]
"""Returns the value of a secret reference. Raises UsageError."""


ASKED = Secret("asked", "become")
"""The password that --ask-become-pass asks for."""


@dataclass(slots=True)
class PasswordTrial:
    """Results of one password in this run, by member."""

    right: bool = False
    wrong_on: dict[str, None] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)


@dataclass(slots=True)
class PasswordAttempt:
    """One use of a password on one member. Set `taken` once the member has decided."""

    password: str
    taken: bool | None = None


class Passwords:
    """The passwords of a run. Safe to use from many threads.

    A directory service counts failures for all members together, so a typo must cost one failure, not one for each.
    """

    def __init__(self, reveal: Reveal, asked: str | None = None) -> None:
        """`asked`: the password typed for this run, for all servers that declare none."""
        self._look_up = reveal
        self._typed = asked
        self._trials: dict[tuple[str, str], PasswordTrial] = {}
        self._lock = threading.Lock()

    def secret_for(self, become: Become) -> Secret | None:
        return become.password or (ASKED if self._typed is not None else None)

    def _reveal(self, secret: Secret) -> str:
        return self._look_up(secret) if secret is not ASKED or self._typed is None else self._typed

    @contextmanager
    def attempt(self, secret: Secret, purpose: str, server: str) -> Iterator[PasswordAttempt]:
        """Try a password. Until it was right once, one thread at a time tries it and the others wait for the result.

        `purpose`: `sudo root`, `login` and the like: one secret may be right for one purpose and wrong for another.
        Raises MemberFault if it was wrong before, UsageError.
        """
        value = self._reveal(secret)
        with self._lock:
            trial = self._trials.setdefault((purpose, value), PasswordTrial())
        if trial.right:
            yield from self._try(trial, PasswordAttempt(value), secret, server)
            return
        with trial.lock:
            yield from self._try(trial, PasswordAttempt(value), secret, server)

    def _try(
        self, trial: PasswordTrial, attempt: PasswordAttempt, secret: Secret, server: str
    ) -> Iterator[PasswordAttempt]:
        before = server if server in trial.wrong_on else next(iter(trial.wrong_on), "")
        if before and (before == server or not trial.right):
            what = f"the password {_name(secret)} was wrong on {before} and is not tried again"
            raise MemberFault(server, what, "fix it and run again")
        try:
            yield attempt
        finally:
            if attempt.taken is not None:
                trial.right = trial.right or attempt.taken
            if attempt.taken is False:
                trial.wrong_on[server] = None


def _name(secret: Secret) -> str:
    return "of --ask-become-pass" if secret is ASKED else str(secret)
