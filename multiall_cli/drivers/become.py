"""sudo, doas and su: their command lines, and the meaning of their errors."""

import shlex
from collections.abc import Iterable, Sequence

from multiall_cli.domain.dataclass import dataclass
from multiall_cli.domain.errors import MemberFault
from multiall_cli.domain.inventory import Become, BecomeMethod, Server

GATE = 'printf %s "$1"; go=$2; shift 2; while IFS= read -r line; do [ "$line" = "$go" ] && exec "$@"; done; exit 1'
"""Prints a token, then reads input up to the line that starts the command."""


@dataclass(frozen=True, slots=True)
class GateTokens:
    """Random words: the prompt of sudo, the token that the gate prints, and the line that opens it."""

    prompt: str
    through: str
    go: str


def command_prefix(become: Become) -> tuple[str, ...]:
    """Return the words before an argv that runs without a password. None of these programs asks for one."""
    match become.method:
        case BecomeMethod.SUDO:
            return ("sudo", "-n", "-u", _sudo_user(become), "--")
        case BecomeMethod.DOAS:
            return ("doas", "-n", "-u", become.user, "--")
        case _:
            return ()


def _sudo_user(become: Become) -> str:
    """Return the user for sudo, which takes a number for a name unless it has a # before it."""
    return f"#{become.user}" if become.user.isdigit() else become.user


def reads_password(become: Become) -> bool:
    """Return whether the program reads a password from stdin. doas reads it only from a terminal."""
    return become.method in (BecomeMethod.SUDO, BecomeMethod.SU)


def gate_command(become: Become, argv: Sequence[str], signs: GateTokens) -> tuple[str, ...]:
    """Return the argv behind a gate, started by a program that may ask for a password on stdin.

    -k ignores cached credentials of sudo, so that a wrong password fails on the first member. -c is the only option
    that all versions of su share; it passes its value to the shell of the user.
    """
    gate = ("sh", "-c", GATE, "sh", signs.through, signs.go, *argv)
    if become.method is BecomeMethod.SU:
        return ("su", become.user, "-c", "exec " + shlex.join(gate))
    return ("sudo", "-k", "-S", "-p", signs.prompt, "-u", _sudo_user(become), "--", *gate)


def is_password_missing(become: Become, stderr: bytes) -> bool:
    """Return whether stderr says that a password is missing."""
    if become.method is BecomeMethod.SUDO:
        return stderr.startswith(b"sudo:") and (b"password is required" in stderr or b"askpass" in stderr)
    return become.method is BecomeMethod.DOAS and stderr.startswith(b"doas:") and b"required" in stderr


def password_missing(who: str, become: Become) -> MemberFault:
    """Return the error for a required password that is not declared."""
    method = become.method.value
    if method == BecomeMethod.DOAS:
        what = "doas asks for a password, which it reads only from a terminal"
        return MemberFault(who, what, f"write `permit nopass USER as {become.user}` into its doas.conf")
    declare = f"declare `become: {{method: {method}, password: '${{env:NAME}}'}}`, or add --ask-become-pass"
    allow = (
        ""
        if method == BecomeMethod.SU
        else "allow it without a password (`multiall doctor --sudoers` prints the line), or "
    )
    return MemberFault(who, f"{method} asks for a password, but none is declared", allow + declare)


def become_refused(who: str, become: Become, why: str, stderr: bytes, *, password: bool) -> MemberFault:
    """Return the error for a command that was not allowed to run.

    `why`: what was observed; `password`: whether one was sent.
    """
    words = _lines(stderr)
    said = "; ".join(part for part in (why, words[-1] if words else "") if part) or "no output"
    method = become.method.value
    what = f"{method} rejected the password ({said})" if password else f"`become` was refused ({said})"
    return MemberFault(who, what, _remedy(become, stderr, password=password))


def _remedy(become: Become, stderr: bytes, *, password: bool) -> str:
    if b"must have a tty" in stderr or b"requiretty" in stderr:
        return "write `Defaults:USER !requiretty` into its sudoers, because MultiAll sessions have no terminal"
    if password:
        return f"fix the password, and check that the login may use {become.method.value}"
    if become.method is BecomeMethod.SUDO:
        return "see `multiall doctor --sudoers`, or declare a password"
    return f"allow the login to use {become.method.value}"


def _lines(stderr: bytes) -> list[str]:
    return [line for line in stderr.decode("utf-8", "replace").strip().splitlines() if line.strip()]


def refusal_reason(become: Become, stderr: bytes) -> str:
    """Return the first line of the program's error; '' if the program is not the cause."""
    first = next(iter(_lines(stderr)), "")
    name = become.method.value
    return first if become.method is not BecomeMethod.NONE and first.startswith(f"{name}:") else ""


def sudoers_lines(servers: Iterable[Server]) -> tuple[str, ...]:
    """Return the sudoers lines that allow work without a password, one per login."""
    wanted = (each for each in servers if each.become.method is BecomeMethod.SUDO)
    lines = (
        f"{_escape(each.ssh.user or 'USER')} ALL=({_escape(_sudo_user(each.become))}) NOPASSWD: ALL" for each in wanted
    )
    return tuple(dict.fromkeys(lines))


def _escape(name: str) -> str:
    """Return a name for sudoers: the backslash of `CORP\\x` is doubled."""
    return name.replace("\\", "\\\\")
