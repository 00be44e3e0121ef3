"""What gauges draw from: files of the kernel, programs, connections, and the marks of the look before."""

import errno
import os
import re
import select
import socket
import subprocess
import time

OUTPUT = 1 << 16  # bytes of a program's output that are read
_POLL = 0.02  # seconds between two looks at whether a program ended
_SINCE_BOOT = 7  # CLOCK_BOOTTIME: it goes on while the machine sleeps, and nobody sets it


class Trouble(Exception):
    """It could not be read; its words say why."""

    kind = "collect"


class Unsupported(Trouble):
    """This server has nothing by which it could be read; its words say what is missing."""

    kind = "unsupported"


def read(path):
    with open(path, errors="surrogateescape") as opened:
        return opened.read()


def output(argv, most=OUTPUT, cwd=None, enough=False):
    """(exit code, output, complaints), no more than `most` bytes of either. Errors: OSError where it does not start.

    `enough`: one that has more to say is ended, and has the code None. Otherwise it ends with this process's group, so
    it needs no limit of its own.
    """
    code, told, complaints = captured(argv, most, cwd, enough)
    return code, told.decode("utf-8", "replace"), complaints.decode("utf-8", "replace")


def captured(argv, most, cwd=None, enough=False, whole=False):
    """The same in bytes. `whole`: complaints are read until the program ended, too."""
    child = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=cwd,
                             env=dict(os.environ, LC_ALL="C", TZ="UTC"))  # fmt: skip
    with child:
        told, complaints = child.stdout, child.stderr
        kept, left = {told: bytearray(), complaints: bytearray()}, [told, complaints]
        # What a program left running may hold its complaints open for ever.
        while told in left and not (enough and len(kept[told]) >= most):
            left = _more(kept, left, None, most)
        while whole and complaints in left and child.poll() is None:
            left = _more(kept, left, _POLL, most)
        if told in left:
            child.kill()
        _more(kept, [each for each in left if each is complaints], 0, most)
    return None if told in left else child.returncode, bytes(kept[told]), bytes(kept[complaints])


def found_in(pattern, content, most, name="matches"):
    """Whether a pattern is found in bytes; of more than `most` of them that is not known. As with grep, no line begins
    behind the last newline: `^$` is found in what is empty or has an empty line.
    """
    if len(content) > most:
        return {"why": {name: "it is longer than %d bytes, of which no more are searched" % most}}
    end = len(content) if content.endswith(b"\n") else -1
    found = re.finditer(pattern.encode("utf-8"), content, re.MULTILINE)
    return {name: any(each.start() != end for each in found)}


def _more(kept, left, patience, most):
    """Those of the streams that did not end."""
    ended = []
    for stream in select.select(left, [], [], patience)[0]:
        piece = os.read(stream.fileno(), 1 << 16)
        kept[stream] += piece[: most - len(kept[stream])]
        if not piece:
            ended.append(stream)
    return [each for each in left if each not in ended]


def of(argv, most=OUTPUT, cwd=None):
    """The output of a program that must end well. Errors: OSError, Trouble with what it complained of."""
    code, told, complaints = output(argv, most, cwd)
    if code:
        raise failed(argv, code, complaints)
    if len(told) >= most:
        raise Trouble("%s says more than %d letters" % (argv[0], most))
    return told


def failed(argv, code, complaints):
    """The error of a program that did not end well: rights that it missed are told as such."""
    if "ermission denied" in complaints or "not permitted" in complaints:
        return OSError(errno.EACCES, os.strerror(errno.EACCES), argv[0])
    words = " ".join(complaints.split()) or "it said nothing"
    return Trouble("%s ended with %s: %s" % (argv[0], code, words[:300]))


def connected(address, port, within):
    """A connection to the first of its addresses that takes one: each has its share of the `within` seconds that are
    left, so that a silent one leaves time for the others. It waits as long for each answer. Errors: OSError.
    """
    places = socket.getaddrinfo(address, port, 0, socket.SOCK_STREAM)
    until, why = time.monotonic() + within, OSError("it has no address")
    for left in range(len(places), 0, -1):
        try:
            opened = _connected(places[-left], max(0.001, (until - time.monotonic()) / left))
        except OSError as fault:
            why = fault
        else:
            opened.settimeout(within)
            return opened
    raise why


def _connected(found, within):
    family, kind, protocol, _, place = found
    opened = socket.socket(family, kind, protocol)
    try:
        opened.settimeout(within)
        opened.connect(place)
    except OSError:
        opened.close()
        raise
    return opened


def since_boot():
    return time.clock_gettime(_SINCE_BOOT)


def boot():
    """Which start of the machine this is."""
    return read("/proc/sys/kernel/random/boot_id").strip()


def marked(counters, of=""):
    """A mark of counters that only grow. `of`: what else they are about; where that changed, they began anew."""
    return {"of": boot() + of, "at": since_boot(), "counters": list(counters)}


def since(mark, now):
    """(seconds, what each counter grew by) between two marks, or None where they cannot be compared."""
    try:
        if mark["of"] != now["of"] or len(mark["counters"]) != len(now["counters"]):
            return None
        took = now["at"] - mark["at"]
        grown = [after - before for before, after in zip(mark["counters"], now["counters"])]
    except (TypeError, KeyError):
        return None
    return (took, grown) if took > 0 and min(grown, default=0) >= 0 else None
