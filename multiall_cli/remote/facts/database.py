"""The database fact: whether a server answers, without a login."""

import socket
import struct
import time

from multiall_cli.remote.facts.sources import CollectError, connect

PORTS = {"postgresql": 5432, "mysql": 3306}
TIMEOUT = 3.0
MAX_ANSWER = 1 << 16  # bytes of an answer before the login


def database(engine, socket=None, address="127.0.0.1", port=None, within=TIMEOUT):
    """Return open, took (seconds) and version (mysql). Sends a greeting and no password."""
    if engine not in PORTS:
        raise CollectError("unknown engine %r; use postgresql or mysql" % (engine,))
    began = time.monotonic()
    try:
        with _connected(socket, address, port or PORTS[engine], within) as opened:
            values = (_ask_postgresql if engine == "postgresql" else _ask_mysql)(opened)
    except OSError as fault:
        return {"open": False, "why": str(fault)}
    return dict(values, took=time.monotonic() - began) if values["open"] else values


def _connected(path, address, port, within):
    if path is None:
        return connect(address, port, within)
    opened = socket.socket(socket.AF_UNIX)
    opened.settimeout(within)
    try:
        opened.connect(path)
    except OSError:
        opened.close()
        raise
    return opened


def _receive(opened, count):
    """Receive exactly `count` bytes. Raises OSError if the connection ends before."""
    if count > MAX_ANSWER:
        raise OSError("the answer is not from a database")
    received = b""
    while len(received) < count:
        piece = opened.recv(count - len(received))
        if not piece:
            raise OSError("the connection closed without an answer")
        received += piece
    return received


def _ask_postgresql(opened):
    """Start a session. A server that asks for a password or refuses this user is healthy."""
    words = b"user\0postgres\0database\0postgres\0application_name\0multiall\0\0"
    opened.sendall(struct.pack("!2I", 8 + len(words), 3 << 16) + words)
    kind, length = struct.unpack("!cI", _receive(opened, 5))
    if kind not in (b"R", b"E", b"N", b"v") or length < 4:
        raise OSError("the answer is not from PostgreSQL")
    body = _receive(opened, length - 4)
    if kind == b"R" and body[:4] == bytes(4):  # logged in without a password: say goodbye
        opened.sendall(b"X\0\0\0\4")
        while opened.recv(1 << 12):
            continue
    fields = {each[:1]: each[1:] for each in body.split(b"\0") if each}
    code = fields.get(b"C") or b""
    # 57: starting or stopping; 53: out of resources.
    if kind == b"E" and code[:2] in (b"57", b"53"):
        return {"open": False, "why": (fields.get(b"M") or code).decode("utf-8", "replace")}
    return {"open": True}


_HOST_NOT_ALLOWED = 1130  # this host may not log in, but the server answers


def _ask_mysql(opened):
    """Read the greeting and try a login: MySQL counts aborted handshakes and blocks the host in the end."""
    greeting = _read_packet(opened)
    if greeting[:1] == b"\xff":
        code, words = struct.unpack("<H", greeting[1:3])[0], greeting[3:].decode("utf-8", "replace")
        return {"open": True} if code == _HOST_NOT_ALLOWED else {"open": False, "why": words}
    if greeting[:1] != b"\x0a" or b"\0" not in greeting[1:]:
        raise OSError("the answer is not from MySQL")
    try:
        _log_out(opened)
    except (OSError, IndexError):
        pass  # it has sent its greeting already
    return {"open": True, "version": greeting[1 : greeting.index(b"\0", 1)].decode("utf-8", "replace")}


def _read_packet(opened):
    head = _receive(opened, 4)
    return _receive(opened, struct.unpack("<I", head[:3] + b"\0")[0])


def _log_out(opened):
    # Protocol 4.1, secure connection, plugins; a user name that nobody has, and no password.
    words = struct.pack("<2IB23x", 0x00088200, 1 << 24, 33) + b"multiall_asks\0" + b"\0" + b"mysql_native_password\0"
    opened.sendall(struct.pack("<I", len(words) | 1 << 24) + words)
    sequence = 2
    for _ in range(3):
        said = _read_packet(opened)[:1]
        if said != b"\xfe":  # it does not offer another login method
            if said == b"\0":  # it accepts any user: say goodbye
                opened.sendall(b"\1\0\0\0\1")
            return
        sequence += 1
        opened.sendall(struct.pack("<I", sequence << 24))
        sequence += 1
