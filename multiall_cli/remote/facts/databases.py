"""Gauges of databases: whether they answer, and how they follow their primaries."""

import os
import pwd
import shutil
import socket
import struct
import time

from multiall_cli.remote.facts.sources import Trouble, Unsupported, connected, failed, of, output

PORTS = {"postgresql": 5432, "mysql": 3306}
WITHIN = 3.0
_LONGEST = 1 << 16  # bytes of an answer before anyone logged in


def database(engine, socket=None, address="127.0.0.1", port=None):
    """open, took (s), version (mysql): a greeting, without a password."""
    if engine not in PORTS:
        raise Trouble("%r is neither postgresql nor mysql" % (engine,))
    began = time.monotonic()
    try:
        with _connected(socket, address, port or PORTS[engine]) as opened:
            told = (_of_postgresql if engine == "postgresql" else _of_mysql)(opened)
    except OSError as fault:
        return {"open": False, "why": str(fault)}
    return dict(told, took=time.monotonic() - began) if told["open"] else told


def _connected(path, address, port):
    if path is None:
        return connected(address, port, WITHIN)
    opened = socket.socket(socket.AF_UNIX)
    opened.settimeout(WITHIN)
    try:
        opened.connect(path)
    except OSError:
        opened.close()
        raise
    return opened


def _exactly(opened, count):
    """Errors: OSError where it ends before."""
    if count > _LONGEST:
        raise OSError("what it says is of no database")
    held = b""
    while len(held) < count:
        piece = opened.recv(count - len(held))
        if not piece:
            raise OSError("it ended without an answer")
        held += piece
    return held


def _of_postgresql(opened):
    """The start of a session: what asks for a password, or refuses this one user, is well."""
    words = b"user\0postgres\0database\0postgres\0application_name\0multiall\0\0"
    opened.sendall(struct.pack("!2I", 8 + len(words), 3 << 16) + words)
    kind, length = struct.unpack("!cI", _exactly(opened, 5))
    if kind not in (b"R", b"E", b"N", b"v") or length < 4:
        raise OSError("what it says is not of PostgreSQL")
    body = _exactly(opened, length - 4)
    if kind == b"R" and body[:4] == bytes(4):  # it let us in: it is told that we go
        opened.sendall(b"X\0\0\0\4")
        while opened.recv(1 << 12):
            continue
    fields = {each[:1]: each[1:] for each in body.split(b"\0") if each}
    code = fields.get(b"C") or b""
    # 57: it starts or stops; 53: it has no room.
    if kind == b"E" and code[:2] in (b"57", b"53"):
        return {"open": False, "why": (fields.get(b"M") or code).decode("utf-8", "replace")}
    return {"open": True}


_NO_ONE = 1130  # this machine may not log in: it answers


def _of_mysql(opened):
    """Its greeting. A login that is refused follows: one that is never made counts against the machine that asks."""
    greeting = _packet(opened)
    if greeting[:1] == b"\xff":
        code, words = struct.unpack("<H", greeting[1:3])[0], greeting[3:].decode("utf-8", "replace")
        return {"open": True} if code == _NO_ONE else {"open": False, "why": words}
    if greeting[:1] != b"\x0a" or b"\0" not in greeting[1:]:
        raise OSError("what it says is not of MySQL")
    try:
        _leave(opened)
    except (OSError, IndexError):
        pass  # it said who it is before
    return {"open": True, "version": greeting[1 : greeting.index(b"\0", 1)].decode("utf-8", "replace")}


def _packet(opened):
    head = _exactly(opened, 4)
    return _exactly(opened, struct.unpack("<I", head[:3] + b"\0")[0])


def _leave(opened):
    # Protocol 4.1, secure connection, plugins; the user has no name that anyone would have, and no password.
    words = struct.pack("<2IB23x", 0x00088200, 1 << 24, 33) + b"multiall_asks\0" + b"\0" + b"mysql_native_password\0"
    opened.sendall(struct.pack("<I", len(words) | 1 << 24) + words)
    sequence = 2
    for _ in range(3):
        said = _packet(opened)[:1]
        if said != b"\xfe":  # another way to log in is not asked for
            if said == b"\0":  # it lets in whoever comes: it is told that we go
                opened.sendall(b"\1\0\0\0\1")
            return
        sequence += 1
        opened.sendall(struct.pack("<I", sequence << 24))
        sequence += 1


def replication(engine, user=None):
    """role, running, lag (s): asked with the database's own program."""
    if engine == "postgresql":
        argv = ["psql", "-XAtwq", "-F", " ", "-d", "postgres", "-c", _POSTGRESQL]
        return replication_of_postgresql(of(_as(user, argv), cwd="/"))
    if engine != "mysql":
        raise Trouble("%r is neither postgresql nor mysql" % (engine,))
    program = next((each for each in ("mariadb", "mysql") if shutil.which(each)), None)
    if program is None:
        raise Unsupported("it has neither mariadb nor mysql")
    said = _rows(program, user)
    if said.strip():
        return replication_of_mysql(said)
    dumps = "SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE COMMAND LIKE 'Binlog Dump%'"
    return {"role": "primary", "running": int(of(_as(user, [program, "-NBe", dumps]), cwd="/")) > 0, "lag": 0.0}


def _rows(program, user):
    """What it says of those that it follows; its words for that changed over the years."""
    for words in ("SHOW ALL SLAVES STATUS", "SHOW REPLICA STATUS", "SHOW SLAVE STATUS"):
        argv = _as(user, [program, "-e", words + "\\G"])
        code, told, complaints = output(argv, cwd="/")
        if code == 0:
            return told
        if "syntax" not in complaints:
            break
    raise failed(argv, code, complaints)


def _as(user, argv):
    if user is None or pwd.getpwuid(os.geteuid()).pw_name == user:
        return argv
    if shutil.which(argv[0]) is None:
        raise Unsupported("it has no %s" % argv[0])
    return ["runuser", "-u", user, "--"] + argv


# Who has replayed all that came is behind by nothing as long as it is fed, however long ago that was.
_POSTGRESQL = """SELECT pg_is_in_recovery()::int,
CASE WHEN pg_is_in_recovery() THEN EXISTS (SELECT 1 FROM pg_stat_wal_receiver)
ELSE EXISTS (SELECT 1 FROM pg_stat_replication) END::int,
CASE WHEN NOT pg_is_in_recovery() THEN 0
WHEN pg_last_wal_receive_lsn() = pg_last_wal_replay_lsn() AND EXISTS (SELECT 1 FROM pg_stat_wal_receiver) THEN 0
ELSE EXTRACT(EPOCH FROM clock_timestamp() - pg_last_xact_replay_timestamp()) END"""


def replication_of_postgresql(text):
    words = text.split()
    if len(words) not in (2, 3) or not set(words[:2]) <= {"0", "1"}:
        raise Trouble("psql said %r" % text[:100])
    told = {"role": "replica" if words[0] == "1" else "primary", "running": words[1] == "1"}
    return dict(told, lag=max(0.0, float(words[2]))) if len(words) == 3 else told


def replication_of_mysql(text):
    """Of one that follows several, all must run; the furthest behind counts."""
    lines = [line.strip().partition(": ") for line in text.splitlines()]
    runs = [value for key, _, value in lines if key.endswith(("_IO_Running", "_SQL_Running"))]
    behind = [value for key, _, value in lines if key.startswith("Seconds_Behind_")]
    if not runs:
        raise Trouble("it says nothing of its replication that we know")
    told = {"role": "replica", "running": all(each == "Yes" for each in runs)}
    if behind and all(each.isdigit() for each in behind):
        told["lag"] = float(max(int(each) for each in behind))
    return told
