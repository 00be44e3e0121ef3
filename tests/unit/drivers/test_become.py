"""sudo, doas and service commands: argv out, refusals in."""

import pytest

from multiall_cli.domain.inventory import After, Become, BecomeMethod
from multiall_cli.drivers import become, service

NONE, SUDO, DOAS = (Become(method) for method in (BecomeMethod.NONE, BecomeMethod.SUDO, BecomeMethod.DOAS))


@pytest.mark.parametrize(
    ("how", "with_password", "argv"),
    [
        (NONE, False, ()),
        (NONE, True, ()),
        (SUDO, False, ("sudo", "-n", "-u", "root", "--")),
        (SUDO, True, ("sudo", "-k", "-S", "-p", "", "-u", "root", "--")),
        (DOAS, False, ("doas", "-n", "-u", "root", "--")),
        (Become(BecomeMethod.SUDO, "www"), False, ("sudo", "-n", "-u", "www", "--")),
    ],
)
def test_what_stands_before_a_command(how: Become, with_password: bool, argv: tuple[str, ...]) -> None:
    """Without a password it never asks; with one it always does, so that the line is not left for the command."""
    assert become.prefix(how, with_password=with_password) == argv


@pytest.mark.parametrize(
    ("how", "stderr", "wants"),
    [
        (SUDO, b"sudo: a password is required\n", True),
        (SUDO, b"sudo: no askpass program specified, try setting SUDO_ASKPASS\n", True),
        (SUDO, b"sudo: unknown user nobody1\n", False),
        (SUDO, b"mysql: a password is required\n", False),
        (SUDO, b"", False),
        (DOAS, b"doas: Authentication required\n", True),
        (DOAS, b"doas: Operation not permitted\n", False),
        (NONE, b"sudo: a password is required\n", False),
    ],
)
def test_whether_a_password_is_wanted(how: Become, stderr: bytes, wants: bool) -> None:
    """Only the program's own words count, never those of the command."""
    assert become.wants_password(how, stderr) is wants


@pytest.mark.parametrize(
    ("how", "stderr", "words"),
    [
        (SUDO, b"sudo: a password is required\nmore\n", "sudo: a password is required"),
        (SUDO, b"Traceback\n", ""),
        (SUDO, b"", ""),
        (SUDO, b"\n \n", ""),
        (DOAS, b"doas: Operation not permitted", "doas: Operation not permitted"),
        (NONE, b"sudo: no", ""),
        (SUDO, b"sudo: \xff", "sudo: \ufffd"),
    ],
)
def test_why_it_was_refused(how: Become, stderr: bytes, words: str) -> None:
    """The program's own first line, or nothing where it is not its fault."""
    assert become.refusal(how, stderr) == words


def test_a_services_name_is_an_argument_and_never_part_of_a_script() -> None:
    """Whatever it is called."""
    assert service.argv(After("reload", ("x; rm -rf /",))) == (
        "sh",
        "-c",
        service.SCRIPT,
        "sh",
        "reload",
        "x; rm -rf /",
    )
    assert "{" not in service.SCRIPT


def test_a_command_is_run_as_it_is_declared() -> None:
    """No shell comes between."""
    assert service.argv(After("run", ("nginx", "-t", "a b"))) == ("nginx", "-t", "a b")
