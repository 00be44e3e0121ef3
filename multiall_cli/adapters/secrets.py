"""Looks up what a reference to a secret means; the value is never kept, printed or put on a command line."""

import errno
import os
import shlex
import subprocess
from pathlib import Path

from multiall_cli.domain.errors import UsageError
from multiall_cli.domain.values import Secret

LIMIT = 30.0  # seconds that a secret's command may take


def reveal(secret: Secret) -> str:
    """The secret, without the line end. Errors: UsageError that names the reference."""
    value = reveal_text(secret)
    if "\n" in value:
        raise UsageError(str(secret), "it is empty or has several lines", "a password is one line")
    return value


def reveal_text(secret: Secret) -> str:
    """A secret that may have several lines, such as a key's file, without the last line end. Errors: as of `reveal`."""
    try:
        value = _LOOK_UP[secret.kind](secret.name)
    except (LookupError, OSError, subprocess.SubprocessError, ValueError) as fault:
        raise UsageError(str(secret), f"it gives nothing ({_why(fault)})", "set it, or mend the reference") from None
    value = value.rstrip("\r\n")
    if not value:
        raise UsageError(str(secret), "it is empty or has several lines", "a password is one line")
    return value


def _why(fault: Exception) -> str:
    if isinstance(fault, KeyError):
        return "not set"
    if isinstance(fault, subprocess.CalledProcessError):
        return f"its command ended with {fault.returncode}"
    if type(fault) is ValueError:
        return str(fault).lower().rstrip(".")
    return type(fault).__name__ if not isinstance(fault, OSError) else fault.strerror or "unreadable"


def _of_command(line: str) -> str:
    argv = shlex.split(line)
    if not argv:
        raise FileNotFoundError(errno.ENOENT, "it names no command")
    done = subprocess.run(argv, check=True, capture_output=True, timeout=LIMIT, stdin=subprocess.DEVNULL)
    return done.stdout.decode()


_LOOK_UP = {
    "env": lambda name: os.environ[name],
    "file": lambda name: Path(os.path.expanduser(name)).read_text("utf-8"),
    "cmd": _of_command,
}
