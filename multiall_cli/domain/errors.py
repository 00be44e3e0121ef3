"""Errors that end a verb. Each says what happened, where, and how to go on."""

from collections.abc import Sequence

from multiall_cli.domain.dataclass import dataclass
from multiall_cli.domain.exits import Exit


@dataclass(frozen=True, slots=True, order=True)
class Origin:
    """Place of a value in the site's files. Lines and columns count from 1; 0: in no file, `file` gives the reason."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}" if self.line else self.file


@dataclass(frozen=True, slots=True, order=True)
class Fault:
    """One error in the input. A run reports all of them."""

    origin: Origin
    what: str
    todo: str

    def __str__(self) -> str:
        return f"{self.origin}: {self.what}; {self.todo}"


def printable(text: str) -> str:
    """Return the text with control and unprintable characters escaped: `\\x1b`, `\\n`."""
    if text.isprintable():
        return text
    return "".join(sign if sign.isprintable() else ascii(sign)[1:-1] for sign in text)


class MultiAllError(Exception):
    """`<subject>: <what happened, with numbers>; <what to do>`."""

    exit_code: Exit = Exit.ERROR
    so_far: tuple[bytes, bytes] = (b"", b"")
    """Output of a command before it was cut off: standard output, standard error."""

    def __init__(self, subject: str, what: str, todo: str) -> None:
        # Texts from members and files appear here: they must not control the terminal that shows them.
        subject, what, todo = printable(subject), printable(what), printable(todo)
        super().__init__(subject, what, todo)
        self.subject = subject
        self.what = what
        self.todo = todo

    def __str__(self) -> str:
        return f"{self.subject}: {self.what}; {self.todo}"


class UsageError(MultiAllError):
    """Invalid name, target or option."""

    exit_code = Exit.USAGE


class InputFaults(MultiAllError):
    """Errors in the site's files; `faults`: every place, in the order of the files."""

    exit_code = Exit.USAGE

    def __init__(self, faults: Sequence[Fault]) -> None:
        self.faults = tuple(sorted(faults))
        many = len(self.faults)
        super().__init__(
            "site",
            f"{many} fault{'s' if many != 1 else ''} in its files",
            "mend them and run `multiall inventory check`",
        )


class Refused(MultiAllError):
    """Refusal by a guard, a conflict, a gate or a stale plan: nothing (more) was changed."""

    exit_code = Exit.REFUSED


class Locked(MultiAllError):
    """The pool is locked by another run."""

    exit_code = Exit.LOCKED


class Interrupted(MultiAllError):
    """Ctrl-C. The report or the journal shows what was done and what is left."""

    exit_code = Exit.INTERRUPTED


class Unreachable(MultiAllError):
    """No session with a member: it is away, its key changed, or it refuses us. The member is deferred.

    `reason` is one of the words of `UNREACHABLE_REASONS`.
    """

    exit_code = Exit.PARTIAL

    def __init__(self, subject: str, what: str, todo: str, reason: str) -> None:
        super().__init__(subject, what, todo)
        self.reason = reason


UNREACHABLE_REASONS = (
    "away", "refused", "name", "timeout", "host-key-unknown", "host-key-changed", "host-key-unchecked", "auth",
    "banner", "jump", "maintenance", "down", "slow",
)  # fmt: skip
"""Meaning of each reason.

away: no route or link cut · refused: nothing listens · name: it has no address · timeout: no answer in time ·
host-key-unknown, -changed: quarantined until `multiall server trust` · host-key-unchecked: a known_hosts file cannot be
read · auth: no key was accepted · banner: not an SSH server · jump: its jump host or relay cannot be used ·
maintenance, down: by the topology, without a connection attempt · slow: it had not ended long after the others.
"""


class MemberFault(MultiAllError):
    """A member answered, but not as it should: no python3, sudo wants a password, garbage, a broken link."""

    exit_code = Exit.PARTIAL


class Overtaken(MemberFault):
    """Another run, of this or another admin host, is changing the same things on a member."""

    exit_code = Exit.LOCKED
