"""Identity of the operator, and ids of runs."""

import getpass
import os
import secrets
import socket
import time

from multiall_cli.domain.run import Holder
from multiall_cli.engine.context import Context


def holder(context: Context, verb: str) -> Holder:
    """Return the operator and this process, for locks and the journal."""
    return Holder(who(), socket.gethostname(), os.getpid(), context.clock.now(), verb)


def who() -> str:
    """Return the person at the keyboard, also behind sudo."""
    try:
        return os.environ.get("SUDO_USER") or getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())


def here() -> str:
    """Return the operator and this host, for members: a member shows it to a second run."""
    return f"{who()}@{socket.gethostname()}"


def new_run_id(now: float) -> str:
    """Return a new run id, sortable by time and unique among admins."""
    return time.strftime("%Y%m%dT%H%M%S", time.gmtime(now)) + "-" + secrets.token_hex(3)
