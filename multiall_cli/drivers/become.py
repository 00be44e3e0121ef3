"""sudo and doas: the words before a command, and what their refusals mean."""

from collections.abc import Iterable

from multiall_cli.domain.inventory import Become, BecomeMethod, Server


def prefix(become: Become, *, with_password: bool = False) -> tuple[str, ...]:
    """What stands before an argv. Without a password, never asks for one.

    With a password, cached credentials are ignored (-k): then sudo always reads the line that we send,
    and it cannot end up in the command's own input.
    """
    match become.method:
        case BecomeMethod.NONE:
            return ()
        case BecomeMethod.SUDO if with_password:
            return ("sudo", "-k", "-S", "-p", "", "-u", become.user, "--")
        case BecomeMethod.SUDO:
            return ("sudo", "-n", "-u", become.user, "--")
        case BecomeMethod.DOAS:
            return ("doas", "-n", "-u", become.user, "--")


def wants_password(become: Become, stderr: bytes) -> bool:
    """Whether the words on standard error say that a password is missing."""
    if become.method is BecomeMethod.SUDO:
        return stderr.startswith(b"sudo:") and (b"password is required" in stderr or b"askpass" in stderr)
    return become.method is BecomeMethod.DOAS and stderr.startswith(b"doas:") and b"required" in stderr


def refusal(become: Become, stderr: bytes) -> str:
    """Why `become` did not work, in the program's own first line; '' where it is not its fault."""
    first = stderr.strip().splitlines()[0].decode("utf-8", "replace") if stderr.strip() else ""
    name = become.method.value
    return first if become.method is not BecomeMethod.NONE and first.startswith(f"{name}:") else ""


def sudoers(servers: Iterable[Server]) -> tuple[str, ...]:
    """The sudoers lines that let us work without a password, one per login."""
    wanted = (each for each in servers if each.become.method is BecomeMethod.SUDO)
    lines = (f"{each.ssh.user or 'USER'} ALL=({each.become.user}) NOPASSWD: ALL" for each in wanted)
    return tuple(dict.fromkeys(lines))
