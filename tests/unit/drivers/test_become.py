"""sudo, doas and service commands: argv out, refusals in."""

import shlex
import subprocess

import pytest

from multiall_cli.domain.inventory import After, Become, BecomeMethod, Server, Ssh
from multiall_cli.drivers import become, service

NONE, SUDO, DOAS = (Become(method) for method in (BecomeMethod.NONE, BecomeMethod.SUDO, BecomeMethod.DOAS))


@pytest.mark.parametrize(
    ("how", "argv"),
    [
        (NONE, ()),
        (SUDO, ("sudo", "-n", "-u", "root", "--")),
        (DOAS, ("doas", "-n", "-u", "root", "--")),
        (Become(BecomeMethod.SUDO, "www"), ("sudo", "-n", "-u", "www", "--")),
        (Become(BecomeMethod.SUDO, "1000"), ("sudo", "-n", "-u", "#1000", "--")),
    ],
)
def test_what_stands_before_a_command(how: Become, argv: tuple[str, ...]) -> None:
    """Without a password it never asks."""
    assert become.command_prefix(how) == argv


SIGNS = become.GateTokens("prompt", "through", "go")


def test_a_command_behind_a_gate() -> None:
    """su gives one line to the user's shell, so each word of it is quoted."""
    gate = ("sh", "-c", become.GATE, "sh", "through", "go", "cat", "a b")
    assert become.gate_command(SUDO, ["cat", "a b"], SIGNS) == (
        "sudo", "-k", "-S", "-p", "prompt", "-u", "root", "--", *gate
    )  # fmt: skip
    assert become.gate_command(Become(BecomeMethod.SU, "www"), ["cat", "a b"], SIGNS) == (
        "su",
        "www",
        "-c",
        f"exec {shlex.join(gate)}",
    )


def test_the_gate_drops_all_input_until_its_line() -> None:
    done = subprocess.run(
        ["sh", "-c", become.GATE, "sh", "through", "go", "cat"],
        input=b"password\ngone\ngo\nours\ngo\n",
        capture_output=True,
    )
    assert (done.returncode, done.stdout) == (0, b"throughours\ngo\n")


@pytest.mark.parametrize(
    ("how", "stderr", "password", "words"),
    [
        (SUDO, b"sudo: sorry, you must have a tty to run sudo\n", False, "write `Defaults:USER !requiretty`"),
        (SUDO, b"sudo: Ein Passwort ist notwendig\n", False, "see `multiall doctor --sudoers`, or declare a password"),
        (SUDO, b"Sorry, try again.\nsudo: 1 incorrect password attempt\n", True, "fix the password"),
        (DOAS, b"doas: Operation not permitted\n", False, "allow the login to use doas"),
    ],
)
def test_a_refusal_says_what_moves_on(how: Become, stderr: bytes, password: bool, words: str) -> None:
    fault = become.become_refused("web1", how, "", stderr, password=password)
    assert words in fault.todo
    assert stderr.decode().splitlines()[-1] in fault.what


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
    assert become.is_password_missing(how, stderr) is wants


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
    assert become.refusal_reason(how, stderr) == words


def test_sudoers_lines_of_a_directorys_names() -> None:
    """sudoers takes a backslash for a sign that hides the next one."""
    server = Server("a", "a", ssh=Ssh(user="CORP\\x"), become=Become(BecomeMethod.SUDO, "y@corp.example"))
    assert become.sudoers_lines([server]) == ("CORP\\\\x ALL=(y@corp.example) NOPASSWD: ALL",)


def test_a_services_name_is_an_argument_and_never_part_of_a_script() -> None:
    """Whatever it is called."""
    assert service.handler_argv(After("reload", ("x; rm -rf /",))) == (
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
    assert service.handler_argv(After("run", ("nginx", "-t", "a b"))) == ("nginx", "-t", "a b")
