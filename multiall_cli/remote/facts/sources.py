"""What collectors read from: kernel files, programs, connections, and the marks of earlier readings."""

import errno
import os
import re
import select
import socket
import subprocess
import time

MAX_OUTPUT = 1 << 16  # bytes of a program's output that are read
_POLL = 0.02  # seconds between two checks whether a program ended
_SINCE_BOOT = 7  # CLOCK_BOOTTIME: it runs on during suspend and is never set


class CollectError(Exception):
    """A fact could not be read. The message says why."""

    kind = "collect"


class Unsupported(CollectError):
    """The server lacks what is needed to read a fact. The message says what is missing."""

    kind = "unsupported"


def read_text(path):
    """Return the content of a file."""
    with open(path, errors="surrogateescape") as opened:
        return opened.read()


def run(argv, most=MAX_OUTPUT, cwd=None, enough=False):
    """Run a program; return (exit code, stdout, stderr), at most `most` bytes each. Raises OSError if it cannot start.

    `enough`: kill a program that prints more; its exit code is None. No timeout is needed: the worker's process group
    is killed as a whole.
    """
    code, stdout, stderr = run_bytes(argv, most, cwd, enough)
    return code, stdout.decode("utf-8", "replace"), stderr.decode("utf-8", "replace")


def run_bytes(argv, most, cwd=None, enough=False, whole=False):
    """Like `run`, but return bytes. `whole`: read stderr until the program ends, too."""
    child = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=cwd,
                             env=dict(os.environ, LC_ALL="C", TZ="UTC"))  # fmt: skip
    with child:
        stdout, stderr = child.stdout, child.stderr
        content, left = {stdout: bytearray(), stderr: bytearray()}, [stdout, stderr]
        # A background process of the program may hold stderr open for ever, so only stdout is read to its end.
        while stdout in left and not (enough and len(content[stdout]) >= most):
            left = _read_streams(content, left, None, most)
        while whole and stderr in left and child.poll() is None:
            left = _read_streams(content, left, _POLL, most)
        if stdout in left:
            child.kill()
        _read_streams(content, [each for each in left if each is stderr], 0, most)
    return None if stdout in left else child.returncode, bytes(content[stdout]), bytes(content[stderr])


def search(pattern, content, most, name="matches"):
    """Return {name: is the pattern found}, or a reason under "why" if there are more than `most` bytes.

    As in grep, no line begins behind the last newline: `^$` matches only empty content or an empty line.
    """
    if len(content) > most:
        return {"why": {name: "it is longer than %d bytes, the most that is searched" % most}}
    end = len(content) if content.endswith(b"\n") else -1
    found = re.finditer(pattern.encode("utf-8"), content, re.MULTILINE)
    return {name: any(each.start() != end for each in found)}


def _read_streams(content, left, patience, most):
    """Read what is available; return the streams that have not ended."""
    ended = []
    for stream in select.select(left, [], [], patience)[0]:
        piece = os.read(stream.fileno(), 1 << 16)
        content[stream] += piece[: most - len(content[stream])]
        if not piece:
            ended.append(stream)
    return [each for each in left if each not in ended]


def checked_output(argv, most=MAX_OUTPUT, cwd=None):
    """Return the output of a program. Raises OSError or CollectError if it fails."""
    code, stdout, stderr = run(argv, most, cwd)
    if code:
        raise command_error(argv, code, stderr)
    if len(stdout) >= most:
        raise CollectError("%s printed more than %d bytes" % (argv[0], most))
    return stdout


def command_error(argv, code, stderr):
    """Return the error for a program that failed: an OSError with EACCES if it lacked permission."""
    if "ermission denied" in stderr or "not permitted" in stderr:
        return OSError(errno.EACCES, os.strerror(errno.EACCES), argv[0])
    words = " ".join(stderr.split()) or "no output"
    return CollectError("%s exited with %s: %s" % (argv[0], code, words[:300]))


def connect(address, port, within):
    """Connect to the first address that accepts. Raises OSError.

    Each address gets an equal share of the remaining `within` seconds, so that a silent one leaves time for the others.
    The connection's own timeout is `within`.
    """
    places = socket.getaddrinfo(address, port, 0, socket.SOCK_STREAM)
    until, why = time.monotonic() + within, OSError("the name has no address")
    for left in range(len(places), 0, -1):
        try:
            opened = _connect_to(places[-left], max(0.001, (until - time.monotonic()) / left))
        except OSError as fault:
            why = fault
        else:
            opened.settimeout(within)
            return opened
    raise why


def _connect_to(found, within):
    family, kind, protocol, _, place = found
    opened = socket.socket(family, kind, protocol)
    try:
        opened.settimeout(within)
        opened.connect(place)
    except OSError:
        opened.close()
        raise
    return opened


def seconds_since_boot():
    """Return the seconds since boot, suspend included."""
    return time.clock_gettime(_SINCE_BOOT)


def boot_id():
    """Return the id of the current boot."""
    return read_text("/proc/sys/kernel/random/boot_id").strip()


def counter_mark(counters, checked_output=""):
    """Return a mark of counters that only grow.

    `of`: identifies their object, for example an interface index. If it changes, the counters started again.
    """
    return {"of": boot_id() + checked_output, "at": seconds_since_boot(), "counters": list(counters)}


def growth(mark, now):
    """Return (seconds, growth of each counter) between two marks; None if they cannot be compared."""
    try:
        if mark["of"] != now["of"] or len(mark["counters"]) != len(now["counters"]):
            return None
        took = now["at"] - mark["at"]
        grown = [after - before for before, after in zip(mark["counters"], now["counters"])]
    except (TypeError, KeyError):
        return None
    return (took, grown) if took > 0 and min(grown, default=0) >= 0 else None
