"""Who runs MultiAll, and the ids of runs."""

import getpass
import os
import secrets
import socket
import time

from multiall_cli.domain.run import Holder
from multiall_cli.engine.context import Context


def holder(context: Context, verb: str) -> Holder:
    """Who we are, for locks and the journal."""
    return Holder(who(), socket.gethostname(), os.getpid(), context.clock.now(), verb)


def who() -> str:
    """The person at the keyboard, also behind sudo."""
    try:
        return os.environ.get("SUDO_USER") or getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())


def here() -> str:
    """Who we are, for members: they show it to whoever comes second."""
    return f"{who()}@{socket.gethostname()}"


def new_run_id(now: float) -> str:
    """Sorts by time; unique among admins."""
    return time.strftime("%Y%m%dT%H%M%S", time.gmtime(now)) + "-" + secrets.token_hex(3)
