"""Linux network namespaces from which sessions may start."""

import ctypes
import os
import socket
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from multiall_cli.domain.errors import MultiAllError

_CLONE_NEWNET = 0x40000000  # of linux/sched.h
_LIMIT = 5.0  # seconds that a socket may take to send a namespace's descriptor


class NetworkNamespace:
    """A network namespace: a file (/run/netns/mgmt), or a socket that sends its descriptor (a lab's `network`)."""

    def __init__(self, path: str) -> None:
        """Raises MultiAllError if it does not exist or cannot be entered."""
        self._path = path
        try:
            self._descriptor = (
                _receive_descriptor(path) if stat.S_ISSOCK(Path(path).stat().st_mode) else os.open(path, os.O_RDONLY)
            )
        except OSError as fault:
            todo = "start the program that makes it (a lab: `multiall lab up`), or fix `network` in multiall.yaml"
            raise MultiAllError(f"network {path}", f"cannot be opened ({fault.strerror or fault})", todo) from None

    @contextmanager
    def entered(self) -> Iterator[None]:
        """Create this thread's sockets and children in the namespace; other threads stay. Raises MultiAllError."""
        here = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        try:
            self.enter()
            try:
                yield
            finally:
                _join(here)
        finally:
            os.close(here)

    def enter(self) -> None:
        """Move this thread there for good, before another program starts in it. Raises MultiAllError."""
        try:
            _join(self._descriptor)
        except OSError as fault:
            todo = "run it as root" if os.geteuid() else "fix `network` in multiall.yaml"
            raise MultiAllError(f"network {self._path}", f"cannot be entered ({fault.strerror})", todo) from None

    def close(self) -> None:
        os.close(self._descriptor)


def _receive_descriptor(path: str) -> int:
    with socket.socket(socket.AF_UNIX) as door:
        door.settimeout(_LIMIT)
        door.connect(path)
        _, handles, _, _ = socket.recv_fds(door, 1, 1)
    if not handles:
        raise OSError("the socket sent no descriptor")
    return handles[0]


def _join(namespace: int) -> None:
    if ctypes.CDLL(None, use_errno=True).setns(namespace, _CLONE_NEWNET):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
