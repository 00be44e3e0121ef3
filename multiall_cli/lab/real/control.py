"""Client of the supervisor's socket: sends an order, receives an answer and perhaps a descriptor."""

import json
import socket
import sys
import threading
from collections.abc import Sequence
from pathlib import Path


class ControlClient:
    """Safe to use from several threads: orders wait for each other."""

    def __init__(self, path: Path, limit: float) -> None:
        """`limit`: seconds that an answer may take. Raises OSError."""
        self._turn = threading.Lock()
        self._control = socket.socket(socket.AF_UNIX)
        self._control.settimeout(limit)
        try:
            self._control.connect(str(path))
        except OSError:
            self._control.close()
            raise

    def order(self, verb: str, words: Sequence[object]) -> tuple[bytes, list[int]]:
        """Send an order; return the answer's line, b'' if the supervisor is gone, and received descriptors."""
        with self._turn:
            try:
                self._control.sendall(json.dumps([verb, words]).encode() + b"\n")
                return self._answer()
            except OSError:
                return b"", []

    def _answer(self) -> tuple[bytes, list[int]]:
        whole, handles = b"", []
        while not whole.endswith(b"\n"):
            piece, came, _, _ = socket.recv_fds(self._control, 1 << 16, 1)
            handles += came
            if not piece:
                return b"", []
            whole += piece
        return whole, handles

    @property
    def peer(self) -> int:
        """The supervisor's pid in this process's namespace, as the kernel reports it for the connection."""
        credentials = self._control.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
        return int.from_bytes(credentials[:4], sys.byteorder)

    def close(self) -> None:
        self._control.close()
