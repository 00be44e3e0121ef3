"""sudo, doas and su: the words before a command, and what their refusals mean."""

import shlex
from collections.abc import Iterable, Sequence

from multiall_cli.domain.dataclass import dataclass
from multiall_cli.domain.errors import MemberFault
from multiall_cli.domain.inventory import Become, BecomeMethod, Server

GATE = 'printf %s "$1"; go=$2; shift 2; while IFS= read -r line; do [ "$line" = "$go" ] && exec "$@"; done; exit 1'
"""Says that it runs, and drops its input until the line that lets the command begin."""


@dataclass(frozen=True, slots=True)
class GateTokens:
    """Random words: sudo's prompt, what the gate says once it runs, and the line that opens it."""

    prompt: str
    through: str
    go: str


def command_prefix(become: Become) -> tuple[str, ...]:
    """What stands before an argv that is run without a password: none of these ever asks for one."""
    match become.method:
        case BecomeMethod.SUDO:
            return ("sudo", "-n", "-u", _sudo_user(become), "--")
        case BecomeMethod.DOAS:
            return ("doas", "-n", "-u", become.user, "--")
        case _:
            return ()


def _sudo_user(become: Become) -> str:
    """A number needs a sign before it, or sudo takes it for a name."""
    return f"#{become.user}" if become.user.isdigit() else become.user


def reads_password(become: Become) -> bool:
    """Whether it reads a password from standard input. doas does so from a terminal only."""
    return become.method in (BecomeMethod.SUDO, BecomeMethod.SU)


def gate_command(become: Become, argv: Sequence[str], signs: GateTokens) -> tuple[str, ...]:
    """The argv behind a gate, started by a method that may ask for a password on standard input.

    sudo's cached credentials are ignored (-k), so that a wrong password is noticed on the first member. su has no
    option that all systems share but -c, and gives its value to the user's own shell.
    """
    gate = ("sh", "-c", GATE, "sh", signs.through, signs.go, *argv)
    if become.method is BecomeMethod.SU:
        return ("su", become.user, "-c", "exec " + shlex.join(gate))
    return ("sudo", "-k", "-S", "-p", signs.prompt, "-u", _sudo_user(become), "--", *gate)


def is_password_missing(become: Become, stderr: bytes) -> bool:
    """Whether the words on standard error say that a password is missing."""
    if become.method is BecomeMethod.SUDO:
        return stderr.startswith(b"sudo:") and (b"password is required" in stderr or b"askpass" in stderr)
    return become.method is BecomeMethod.DOAS and stderr.startswith(b"doas:") and b"required" in stderr


def password_missing(who: str, become: Become) -> MemberFault:
    """A password is wanted, and none is declared that could be used."""
    method = become.method.value
    if method == BecomeMethod.DOAS:
        what = "doas wants a password, which it takes on a terminal only"
        return MemberFault(who, what, f"write `permit nopass USER as {become.user}` into its doas.conf")
    declare = f"declare `become: {{method: {method}, password: '${{env:NAME}}'}}`, or add --ask-become-pass"
    allow = "" if method == BecomeMethod.SU else "allow it without (`multiall doctor --sudoers` prints the line) or "
    return MemberFault(who, f"{method} wants a password and none is declared", allow + declare)


def become_refused(who: str, become: Become, why: str, stderr: bytes, *, password: bool) -> MemberFault:
    """What a command that was not let through ends with. `why`: what we saw; `password`: whether one was sent."""
    words = _lines(stderr)
    said = "; ".join(part for part in (why, words[-1] if words else "") if part) or "it said nothing"
    method = become.method.value
    what = f"{method} did not take the password ({said})" if password else f"`become` was refused ({said})"
    return MemberFault(who, what, _remedy(become, stderr, password=password))


def _remedy(become: Become, stderr: bytes, *, password: bool) -> str:
    if b"must have a tty" in stderr or b"requiretty" in stderr:
        return "write `Defaults:USER !requiretty` into its sudoers: a session of ours has no terminal"
    if password:
        return f"mend the password, and see that the login may use {become.method.value}"
    if become.method is BecomeMethod.SUDO:
        return "see `multiall doctor --sudoers`, or declare a password"
    return f"allow {become.method.value} to the login"


def _lines(stderr: bytes) -> list[str]:
    return [line for line in stderr.decode("utf-8", "replace").strip().splitlines() if line.strip()]


def refusal_reason(become: Become, stderr: bytes) -> str:
    """Why `become` did not work, in the program's own first line; '' where it is not its fault."""
    first = next(iter(_lines(stderr)), "")
    name = become.method.value
    return first if become.method is not BecomeMethod.NONE and first.startswith(f"{name}:") else ""


def sudoers_lines(servers: Iterable[Server]) -> tuple[str, ...]:
    """The sudoers lines that let us work without a password, one per login."""
    wanted = (each for each in servers if each.become.method is BecomeMethod.SUDO)
    lines = (
        f"{_escape(each.ssh.user or 'USER')} ALL=({_escape(_sudo_user(each.become))}) NOPASSWD: ALL" for each in wanted
    )
    return tuple(dict.fromkeys(lines))


def _escape(name: str) -> str:
    """A name as sudoers takes it: the backslash of `CORP\\x` is written twice."""
    return name.replace("\\", "\\\\")
