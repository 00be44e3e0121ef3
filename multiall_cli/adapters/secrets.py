"""Looks up secret references; the value is never stored, printed or put on a command line."""

import errno
import os
import shlex
import subprocess
from pathlib import Path

from multiall_cli.domain.errors import UsageError
from multiall_cli.domain.values import Secret

LIMIT = 30.0  # seconds that a secret's command may take


def reveal(secret: Secret) -> str:
    """Return the secret without its line end. Raises UsageError that names the reference."""
    value = reveal_text(secret)
    if "\n" in value:
        raise UsageError(str(secret), "empty, or more than one line", "a password is one line")
    return value


def reveal_text(secret: Secret) -> str:
    """Return a secret of any number of lines, such as a key file, without the last line end. Raises as `reveal`."""
    try:
        value = _LOOK_UP[secret.kind](secret.name)
    except (LookupError, OSError, subprocess.SubprocessError, ValueError) as fault:
        raise UsageError(str(secret), f"no value ({_why(fault)})", "set it, or fix the reference") from None
    value = value.rstrip("\r\n")
    if not value:
        raise UsageError(str(secret), "empty, or more than one line", "a password is one line")
    return value


def _why(fault: Exception) -> str:
    if isinstance(fault, KeyError):
        return "not set"
    if isinstance(fault, subprocess.CalledProcessError):
        return f"its command exited with {fault.returncode}"
    if type(fault) is ValueError:
        return str(fault).lower().rstrip(".")
    return type(fault).__name__ if not isinstance(fault, OSError) else fault.strerror or "unreadable"


def _of_command(line: str) -> str:
    argv = shlex.split(line)
    if not argv:
        raise FileNotFoundError(errno.ENOENT, "no command is given")
    done = subprocess.run(argv, check=True, capture_output=True, timeout=LIMIT, stdin=subprocess.DEVNULL)
    return done.stdout.decode()


_LOOK_UP = {
    "env": lambda name: os.environ[name],
    "file": lambda name: Path(os.path.expanduser(name)).read_text("utf-8"),
    "cmd": _of_command,
}
