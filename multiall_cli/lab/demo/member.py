"""One server of a lab: a process that speaks SSH on a listening socket and runs commands in its own home."""

import os
import signal
import socket
import sys
import threading
from pathlib import Path
from typing import NoReturn

import paramiko

from multiall_cli.lab.demo import prctl
from multiall_cli.lab.demo.ssh_server import DemoServerInterface


def serve(
    listening: socket.socket, home: Path, host_key: Path, key: paramiko.PKey, lifeline: int, report_ready: int
) -> NoReturn:
    """Serve in a freshly forked child of the supervisor until it or the supervisor is killed; never returns.

    `lifeline`: a descriptor that reaches its end when the supervisor ends; `report_ready`: one that is closed once the
    child has a process group of its own and dies with the supervisor.
    """
    try:
        os.setsid()
        _close_inherited({listening.fileno(), lifeline, report_ready})
        prctl.die_with_parent()  # even while this process is stopped
        prctl.adopt_orphans()  # orphans of our commands stay below us, so that they can be found
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_DFL)
        os.close(report_ready)
        threading.Thread(target=_watch, args=(lifeline,), daemon=True).start()
        own = paramiko.ECDSAKey.from_private_key_file(str(host_key))
        environment = member_environment(home)
        while True:
            client, _ = listening.accept()
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=_converse, args=(client, own, key, home, environment), daemon=True).start()
    finally:
        os._exit(1)


def member_environment(home: Path) -> dict[str, str]:
    """Return the environment of a server's commands: its own bin, then a working python3, then the machine's."""
    ours = Path(sys.executable).parent
    if not (ours / "python3").exists() and not (home / "bin" / "python3").exists():
        (home / "bin" / "python3").symlink_to(sys.executable)
    path = os.pathsep.join([str(home / "bin"), str(ours), os.environ.get("PATH") or os.defpath])
    return {"PATH": path, "HOME": str(home), "USER": "lab", "LOGNAME": "lab", "SHELL": "/bin/sh", "LANG": "C.UTF-8"}


def _close_inherited(keep: set[int]) -> None:
    """Close the inherited descriptors: the supervisor's lock, its control socket, its user's pipes."""
    nothing = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(nothing, standard)
    above = sorted(handle for handle in keep if handle > 2)
    for low, high in zip([2, *above], [*above, 4096], strict=True):
        os.closerange(low + 1, high)


def _watch(lifeline: int) -> None:
    os.read(lifeline, 1)  # nothing is ever written: it returns when the supervisor has ended
    os.killpg(0, signal.SIGKILL)


def _converse(
    client: socket.socket, own: paramiko.PKey, key: paramiko.PKey, home: Path, environment: dict[str, str]
) -> None:
    """Serve one connection, from its key exchange to its end."""
    connection = paramiko.Transport(client)
    connection.add_server_key(own)
    account = DemoServerInterface(key, home, environment)
    try:
        connection.start_server(event=threading.Event(), server=account)
        while connection.is_active():
            channel = connection.accept(1)
            if channel is not None:
                account.serve_channel(channel)
    except (paramiko.SSHException, EOFError, OSError):
        return  # the client hung up, or does not speak SSH
    finally:
        connection.close()
        account.close()
