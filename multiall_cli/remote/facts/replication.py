"""The replication fact: how a database follows its primary."""

import os
import pwd
import shutil

from multiall_cli.remote.facts.sources import CollectError, Unsupported, checked_output, command_error, run


def replication(engine, user=None):
    """Return role, running and lag (seconds), from the database's own client."""
    if engine == "postgresql":
        argv = ["psql", "-XAtwq", "-F", " ", "-d", "postgres", "-c", _POSTGRESQL_QUERY]
        return parse_postgresql(checked_output(_as_user(user, argv), cwd="/"))
    if engine != "mysql":
        raise CollectError("unknown engine %r; use postgresql or mysql" % (engine,))
    program = next((each for each in ("mariadb", "mysql") if shutil.which(each)), None)
    if program is None:
        raise Unsupported("neither mariadb nor mysql is installed")
    status = _replica_status(program, user)
    if status.strip():
        return parse_mysql(status)
    dumps = "SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE COMMAND LIKE 'Binlog Dump%'"
    return {
        "role": "primary",
        "running": int(checked_output(_as_user(user, [program, "-NBe", dumps]), cwd="/")) > 0,
        "lag": 0.0,
    }


def _replica_status(program, user):
    """Return the replica status. Its statement changed between versions."""
    for words in ("SHOW ALL SLAVES STATUS", "SHOW REPLICA STATUS", "SHOW SLAVE STATUS"):
        argv = _as_user(user, [program, "-e", words + "\\G"])
        code, values, complaints = run(argv, cwd="/")
        if code == 0:
            return values
        if "syntax" not in complaints:
            break
    raise command_error(argv, code, complaints)


def _as_user(user, argv):
    if user is None or pwd.getpwuid(os.geteuid()).pw_name == user:
        return argv
    if shutil.which(argv[0]) is None:
        raise Unsupported("%s is not installed" % argv[0])
    return ["runuser", "-u", user, "--"] + argv


# A replica that has replayed everything received has no lag, however long ago the last transaction was.
_POSTGRESQL_QUERY = """SELECT pg_is_in_recovery()::int,
CASE WHEN pg_is_in_recovery() THEN EXISTS (SELECT 1 FROM pg_stat_wal_receiver)
ELSE EXISTS (SELECT 1 FROM pg_stat_replication) END::int,
CASE WHEN NOT pg_is_in_recovery() THEN 0
WHEN pg_last_wal_receive_lsn() = pg_last_wal_replay_lsn() AND EXISTS (SELECT 1 FROM pg_stat_wal_receiver) THEN 0
ELSE EXTRACT(EPOCH FROM clock_timestamp() - pg_last_xact_replay_timestamp()) END"""


def parse_postgresql(text):
    """Return the values in the answer to `_POSTGRESQL_QUERY`."""
    words = text.split()
    if len(words) not in (2, 3) or not set(words[:2]) <= {"0", "1"}:
        raise CollectError("psql printed %r" % text[:100])
    values = {"role": "replica" if words[0] == "1" else "primary", "running": words[1] == "1"}
    return dict(values, lag=max(0.0, float(words[2]))) if len(words) == 3 else values


def parse_mysql(text):
    """Return the values of all channels: all must run, and the largest lag counts."""
    lines = [line.strip().partition(": ") for line in text.splitlines()]
    runs = [value for key, _, value in lines if key.endswith(("_IO_Running", "_SQL_Running"))]
    behind = [value for key, _, value in lines if key.startswith("Seconds_Behind_")]
    if not runs:
        raise CollectError("its replica status has no known field")
    values = {"role": "replica", "running": all(each == "Yes" for each in runs)}
    if behind and all(each.isdigit() for each in behind):
        values["lag"] = float(max(int(each) for each in behind))
    return values
