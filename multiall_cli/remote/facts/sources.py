"""What gauges draw from: files of the kernel, programs, connections, and the marks of the look before."""

import errno
import os
import re
import select
import socket
import subprocess
import time

MAX_OUTPUT = 1 << 16  # bytes of a program's output that are read
_POLL = 0.02  # seconds between two looks at whether a program ended
_SINCE_BOOT = 7  # CLOCK_BOOTTIME: it goes on while the machine sleeps, and nobody sets it


class CollectError(Exception):
    """It could not be read; its words say why."""

    kind = "collect"


class Unsupported(CollectError):
    """This server has nothing by which it could be read; its words say what is missing."""

    kind = "unsupported"


def read_text(path):
    with open(path, errors="surrogateescape") as opened:
        return opened.read()


def run(argv, most=MAX_OUTPUT, cwd=None, enough=False):
    """(exit code, output, complaints), no more than `most` bytes of either. Errors: OSError where it does not start.

    `enough`: one that has more to say is ended, and has the code None. Otherwise it ends with this process's group, so
    it needs no limit of its own.
    """
    code, stdout, stderr = run_bytes(argv, most, cwd, enough)
    return code, stdout.decode("utf-8", "replace"), stderr.decode("utf-8", "replace")


def run_bytes(argv, most, cwd=None, enough=False, whole=False):
    """The same in bytes. `whole`: complaints are read until the program ended, too."""
    child = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=cwd,
                             env=dict(os.environ, LC_ALL="C", TZ="UTC"))  # fmt: skip
    with child:
        stdout, stderr = child.stdout, child.stderr
        content, left = {stdout: bytearray(), stderr: bytearray()}, [stdout, stderr]
        # What a program left running may hold its complaints open for ever.
        while stdout in left and not (enough and len(content[stdout]) >= most):
            left = _read_streams(content, left, None, most)
        while whole and stderr in left and child.poll() is None:
            left = _read_streams(content, left, _POLL, most)
        if stdout in left:
            child.kill()
        _read_streams(content, [each for each in left if each is stderr], 0, most)
    return None if stdout in left else child.returncode, bytes(content[stdout]), bytes(content[stderr])


def search(pattern, content, most, name="matches"):
    """Whether a pattern is found in bytes; of more than `most` of them that is not known. As with grep, no line begins
    behind the last newline: `^$` is found in what is empty or has an empty line.
    """
    if len(content) > most:
        return {"why": {name: "it is longer than %d bytes, of which no more are searched" % most}}
    end = len(content) if content.endswith(b"\n") else -1
    found = re.finditer(pattern.encode("utf-8"), content, re.MULTILINE)
    return {name: any(each.start() != end for each in found)}


def _read_streams(content, left, patience, most):
    """Those of the streams that did not end."""
    ended = []
    for stream in select.select(left, [], [], patience)[0]:
        piece = os.read(stream.fileno(), 1 << 16)
        content[stream] += piece[: most - len(content[stream])]
        if not piece:
            ended.append(stream)
    return [each for each in left if each not in ended]


def checked_output(argv, most=MAX_OUTPUT, cwd=None):
    """The output of a program that must end well. Errors: OSError, Trouble with what it complained of."""
    code, stdout, stderr = run(argv, most, cwd)
    if code:
        raise command_error(argv, code, stderr)
    if len(stdout) >= most:
        raise CollectError("%s says more than %d letters" % (argv[0], most))
    return stdout


def command_error(argv, code, stderr):
    """The error of a program that did not end well: rights that it missed are told as such."""
    if "ermission denied" in stderr or "not permitted" in stderr:
        return OSError(errno.EACCES, os.strerror(errno.EACCES), argv[0])
    words = " ".join(stderr.split()) or "it said nothing"
    return CollectError("%s ended with %s: %s" % (argv[0], code, words[:300]))


def connect(address, port, within):
    """A connection to the first of its addresses that takes one: each has its share of the `within` seconds that are
    left, so that a silent one leaves time for the others. It waits as long for each answer. Errors: OSError.
    """
    places = socket.getaddrinfo(address, port, 0, socket.SOCK_STREAM)
    until, why = time.monotonic() + within, OSError("it has no address")
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
    return time.clock_gettime(_SINCE_BOOT)


def boot_id():
    """Which start of the machine this is."""
    return read_text("/proc/sys/kernel/random/boot_id").strip()


def counter_mark(counters, checked_output=""):
    """A mark of counters that only grow. `of`: what else they are about; where that changed, they began anew."""
    return {"of": boot_id() + checked_output, "at": seconds_since_boot(), "counters": list(counters)}


def growth(mark, now):
    """(seconds, what each counter grew by) between two marks, or None where they cannot be compared."""
    try:
        if mark["of"] != now["of"] or len(mark["counters"]) != len(now["counters"]):
            return None
        took = now["at"] - mark["at"]
        grown = [after - before for before, after in zip(mark["counters"], now["counters"])]
    except (TypeError, KeyError):
        return None
    return (took, grown) if took > 0 and min(grown, default=0) >= 0 else None
