"""What a lab's server allows: login with the lab's key, commands, and connections to loopback."""

import contextlib
import os
import socket
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from typing import IO

import paramiko
from paramiko.common import (
    AUTH_FAILED,
    AUTH_SUCCESSFUL,
    OPEN_FAILED_ADMINISTRATIVELY_PROHIBITED,
    OPEN_FAILED_CONNECT_FAILED,
    OPEN_SUCCEEDED,
)

CHUNK = 1 << 16


class DemoServerInterface(paramiko.ServerInterface):
    """Permissions of one connection, as paramiko asks for them."""

    def __init__(self, key: paramiko.PKey, home: Path, environment: dict[str, str]) -> None:
        self._key = key
        self._home = home
        self._environment = environment
        self._targets: dict[int, socket.socket] = {}

    def get_allowed_auths(self, username: str) -> str:
        return "publickey"

    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:
        return AUTH_SUCCESSFUL if key.asbytes() == self._key.asbytes() else AUTH_FAILED

    def check_channel_request(self, kind: str, chanid: int) -> int:
        return OPEN_SUCCEEDED if kind == "session" else OPEN_FAILED_ADMINISTRATIVELY_PROHIBITED

    def check_channel_direct_tcpip_request(
        self, chanid: int, origin: tuple[str, int], destination: tuple[str, int]
    ) -> int:
        """Forward to loopback only: a lab gives no access to other machines."""
        if not destination[0].startswith("127."):
            return OPEN_FAILED_ADMINISTRATIVELY_PROHIBITED
        try:
            self._targets[chanid] = socket.create_connection(destination, timeout=5)
        except OSError:
            return OPEN_FAILED_CONNECT_FAILED
        return OPEN_SUCCEEDED

    def check_channel_env_request(self, channel: paramiko.Channel, name: bytes, value: bytes) -> bool:
        return False

    def check_channel_exec_request(self, channel: paramiko.Channel, command: bytes) -> bool:
        threading.Thread(target=self._run, args=(channel, command), daemon=True).start()
        return True

    def serve_channel(self, channel: paramiko.Channel) -> None:
        """Serve a new channel; sessions wait for their command."""
        target = self._targets.pop(channel.get_id(), None)
        if target is None:
            return
        target.settimeout(None)
        target.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        threading.Thread(target=_copy_in, args=(channel, target), daemon=True).start()
        threading.Thread(target=_copy_out, args=(channel, target), daemon=True).start()

    def close(self) -> None:
        for target in self._targets.values():
            target.close()

    def _run(self, channel: paramiko.Channel, command: bytes) -> None:
        """Run a command and send its exit code. It stays in our process group, so it dies with us."""
        with subprocess.Popen(
            ["sh", "-c", os.fsdecode(command)],
            cwd=self._home,
            env=self._environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
        ) as child:
            assert child.stdout is not None  # noqa: S101  (it is a PIPE)
            assert child.stderr is not None  # noqa: S101  (it is a PIPE)
            threading.Thread(target=_feed, args=(channel, child), daemon=True).start()
            errors = threading.Thread(target=_drain, args=(child.stderr, channel.sendall_stderr), daemon=True)
            errors.start()
            _drain(child.stdout, channel.sendall)
            errors.join()
            code = child.wait()
            with contextlib.suppress(OSError, EOFError, paramiko.SSHException):  # the client may have hung up
                channel.send_exit_status(128 - code if code < 0 else code)
                channel.close()


def _feed(channel: paramiko.Channel, child: "subprocess.Popen[bytes]") -> None:
    assert child.stdin is not None  # noqa: S101  (it is a PIPE)
    try:
        while piece := channel.recv(CHUNK):
            view = memoryview(piece)
            while view:
                view = view[child.stdin.write(view) :]
    except (OSError, EOFError, ValueError, paramiko.SSHException):
        pass  # the command has closed its input, or the client is gone
    with contextlib.suppress(OSError):
        child.stdin.close()


def _drain(stream: IO[bytes], send: Callable[[bytes], None]) -> None:
    """Pass output on. When the client is gone the pipe is closed, so that the command notices."""
    with stream, contextlib.suppress(OSError, EOFError, paramiko.SSHException):
        while piece := stream.read(CHUNK):
            send(piece)


def _copy_in(channel: paramiko.Channel, target: socket.socket) -> None:
    with contextlib.suppress(OSError, EOFError, paramiko.SSHException):
        while piece := channel.recv(CHUNK):
            target.sendall(piece)
        target.shutdown(socket.SHUT_WR)


def _copy_out(channel: paramiko.Channel, target: socket.socket) -> None:
    with target, contextlib.suppress(OSError, EOFError, paramiko.SSHException):
        while piece := target.recv(CHUNK):
            channel.sendall(piece)
        channel.close()
