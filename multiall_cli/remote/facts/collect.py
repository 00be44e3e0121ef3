"""Collects the facts that rules need. A fact that hangs costs only itself.

A worker process reads one fact after the other. If one is slow, its worker is left behind, because it may hang in the
kernel for ever, and a new worker goes on with the next fact.
"""

import errno
import json
import os
import select
import signal
import sys
import time
import traceback
from collections import OrderedDict
from typing import Any

from multiall_cli.remote.facts import kernel_files
from multiall_cli.remote.facts.sources import CollectError

FACTS = (
    "file",
    "files",
    "mount",
    "disk",
    "log",
    "journal",
    "raid",
    "zpool",
    "lvm",
    "process",
    "zombies",
    "load",
    "cpu",
    "memory",
    "oom",
    "pressure",
    "open_files",
    "uptime",
    "clock",
    "ntp",
    "sysctl",
    "module",
    "reboot",
    "user",
    "group",
    "sudoers",
    "package",
    "service",
    "timer",
    "failed_units",
    "container",
    "command",
    "port",
    "tcp",
    "http",
    "certificate",
    "interface",
    "route",
    "ping",
    "dns",
    "database",
    "replication",
)
"""The facts: each has a module of its name in this package, with a function of the same name."""
WITH_MARK = ("cpu", "oom", "process", "interface", "log", "journal")
"""Facts about the time since the last reading: they take a `mark`, None at first, and return the next one."""
MAX_ANSWERS = 4  # remembered answers
SLOW_AFTER = 0.5  # seconds until a new worker takes over from a slow one
MAX_SLOW = 16  # slow workers at the same time
BATCH_DELAY = 0.001  # seconds to wait for more lines, so that one wake-up takes many
_DENIED = (errno.EACCES, errno.EPERM)


_ANSWERS: "OrderedDict[str, tuple[list[Any], list[bytes]]]" = OrderedDict()
"""token → (wanted facts, lines read). It lives as long as the session."""


def collect(request, within, wanted=(), keep=False, since="", marks=(), library=("", "")):
    """Return {"read": [{"values": {...}, "mark": ...} | {"trouble": text, "kind": word}, ...]}, in order of `wanted`.

    `wanted`: [[fact, arguments, mark, names], ...]. The mark is the one of the last reading, or null; `names`, if given
    and not null, limits the values. `within`: seconds for each fact. `keep`: remember the answer and return its
    "token"; `since`: such a token, see `_collect_changes`. `library`: the folder of psutil and its PROCFS_PATH.
    """
    kernel_files.psutil_is_at(*library)
    if since:
        return _collect_changes(request, within, since, marks)
    lines = _read_all(request, wanted, within)
    answer: "dict[str, object]" = {"read": [json.loads(line.decode("ascii")) for line in lines]}
    if keep:
        answer["token"] = _remember(wanted, lines)
    return answer


def _collect_changes(request, within, since, marks):
    """Read the facts of a remembered answer again and return only the differences.

    Return {"changed": [[index, answer], ...], "token": ...}, or {"unknown": true} if the answer is forgotten.
    `marks`: [[index, mark], ...], instead of the earlier ones.
    """
    if since not in _ANSWERS:
        return {"unknown": True}
    wanted, before = _ANSWERS.pop(since)
    for each in wanted:
        each[2] = None
    for place, mark in marks:
        wanted[place][2] = mark
    lines = _read_all(request, wanted, within)
    pairs = enumerate(zip(lines, before))
    changed = [[place, json.loads(line.decode("ascii"))] for place, (line, was) in pairs if line != was]
    return {"changed": changed, "token": _remember(wanted, lines)}


def _remember(wanted, lines):
    """Remember an answer and return its token. The oldest is forgotten."""
    while len(_ANSWERS) >= MAX_ANSWERS:
        _ANSWERS.popitem(last=False)
    token = os.urandom(8).hex()
    _ANSWERS[token] = (wanted, lines)
    return token


def _read_all(request, wanted, within):
    """Return the answer of each fact as a line of JSON."""
    for name in {each[0] for each in wanted if each[0] in FACTS}:
        collector(name)  # in the parent, so that not every worker has to
    return Reading(wanted, within).run(request.heartbeat)


class Reading:
    """Workers that read facts: the leader goes from one to the next; slow workers are stuck at one each."""

    def __init__(self, wanted, within, max_slow=MAX_SLOW, slow_after=SLOW_AFTER):
        self._wanted = wanted
        self._max_slow = max_slow
        self._slow_after = slow_after
        self._within = within
        self._lines: "list[bytes]" = [b""] * len(wanted)
        self._next = 0  # index of the first fact that no worker has begun
        self._leader: "_Worker | None" = None
        self._slow: "list[_Worker]" = []

    def run(self, heartbeat):
        try:
            while self._next < len(self._wanted) or self._slow:
                if self._leader is None and self._next < len(self._wanted) and len(self._slow) < self._max_slow:
                    self._start_leader()
                self._wait()
                if self._leader is not None:
                    self._take_lines(self._leader)
                self._slow = [each for each in self._slow if not self._is_finished(each)]
                heartbeat()
        finally:
            for each in self._workers():
                each.end()
        return self._lines

    def _start_leader(self):
        try:
            self._leader = _Worker(self._wanted, self._next)
        except OSError:  # too many processes; retry after a slow worker ends
            if not self._slow:
                raise

    def _workers(self):
        return self._slow + ([self._leader] if self._leader is not None else [])

    def _wait(self):
        """Wait until a worker prints something or exceeds its time."""
        now = time.monotonic()
        limits = [each.began + self._within for each in self._slow]
        if self._leader is not None:
            limits.append(self._leader.began + min(self._slow_after, self._within))
        select.select([each.source for each in self._workers()], [], [], max(0.0, min(min(limits) - now, 1.0)))

    def _take_lines(self, child):
        found = child.lines()
        for line in found or ():
            self._lines[self._next] = line
            self._next += 1
        if self._next == len(self._wanted):
            child.end()
            self._leader = None
        elif found is None:  # it died
            self._lines[self._next] = _encode({"kind": "collect", "trouble": "the process that read it ended"})
            self._next += 1
            child.end()
            self._leader = None
        elif found:
            child.began = time.monotonic()
            time.sleep(BATCH_DELAY)
        elif time.monotonic() - child.began >= min(self._slow_after, self._within):
            child.place = self._next
            self._next += 1
            self._slow.append(child)
            self._leader = None

    def _is_finished(self, child):
        """Return whether a slow worker has finished its fact or timed out."""
        found = child.lines()
        if found:
            self._lines[child.place] = found[0]
        elif found is None:
            self._lines[child.place] = _encode({"kind": "collect", "trouble": "the process that read it ended"})
        elif time.monotonic() - child.began >= self._within:
            words = "no result within %g s" % self._within
            self._lines[child.place] = _encode({"kind": "timeout", "trouble": words})
        else:
            return False
        child.end()
        return True


class _Worker:
    """A process that reads the facts from `place` on. `began`: when it started the current one."""

    def __init__(self, wanted, place):
        self.place = place
        self.began = time.monotonic()
        self._rest = b""
        self.source, sink = os.pipe()
        try:
            self._number = os.fork()
        except OSError:
            os.close(self.source)
            os.close(sink)
            raise
        if self._number == 0:
            os.close(self.source)
            _run_worker(sink, wanted[place:])
        os.close(sink)
        os.set_blocking(self.source, False)

    def lines(self):
        """Return the lines printed since the last call; None if the process has ended."""
        try:
            piece = os.read(self.source, 1 << 16)
        except BlockingIOError:
            return []
        found = (self._rest + piece).split(b"\n")
        self._rest = found.pop()
        return found if piece else None

    def end(self):
        os.close(self.source)
        _kill(self._number)


def _encode(answer):
    return json.dumps(answer).encode("ascii")


def _run_worker(sink, wanted):
    """Read facts and exit. Never returns, and leaves the open files of the parent alone."""
    try:
        os.setsid()
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        for each in wanted:
            line = _encode(read_fact(*each)) + b"\n"
            while line:
                line = line[os.write(sink, line) :]
    except BaseException:  # noqa: BLE001  (a worker must never return into the loop)
        os._exit(1)
    os._exit(0)


def read_fact(name, arguments, mark, names=None):
    """Return the answer of one fact."""
    answer = _collect_fact(name, arguments, mark)
    if names is not None and "values" in answer:
        answer["values"] = {key: value for key, value in answer["values"].items() if key in names}
    return answer


def _collector_for(name):
    """Return the collector, or its psutil fallback if a kernel file is missing. Raises Unsupported."""
    path = kernel_files.missing(name)
    if path:
        from multiall_cli.remote.facts import psutil_fallback

        return psutil_fallback.fallback(name, path)
    return collector(name)


def collector(name):
    """Load and return the function that reads one of FACTS."""
    module = "multiall_cli.remote.facts." + name
    __import__(module)
    return getattr(sys.modules[module], name)


def _collect_fact(name, arguments, mark):
    if name not in FACTS:
        return {"kind": "unsupported", "trouble": "this release has no fact %r" % (name,)}
    if isinstance(arguments.get("path"), str):
        arguments = dict(
            arguments, path=os.path.expanduser(arguments["path"])
        )  # ~ is the home of the user that runs the loop
    try:
        reader = _collector_for(name)
        if name not in WITH_MARK:
            return {"values": reader(**arguments)}
        values, mark = reader(mark=mark, **arguments)
        return {"values": values, "mark": mark}
    except CollectError as error:
        return {"kind": error.kind, "trouble": str(error)}
    except OSError as error:
        kind = "rights" if error.errno in _DENIED else "unsupported" if error.errno == errno.ENOENT else "collect"
        where = " (%s)" % error.filename if isinstance(error.filename, str) else ""
        return {"kind": kind, "trouble": "%s%s" % (os.strerror(error.errno or errno.EIO), where)}
    except Exception:  # noqa: BLE001  (a broken collector must not cost the other facts)
        return {"kind": "collect", "trouble": traceback.format_exc().splitlines()[-1]}


def _kill(child):
    """Kill a worker and its children. A process that hangs in the kernel is left behind."""
    for ended in (os.killpg, os.kill):
        try:
            ended(child, signal.SIGKILL)
        except OSError:
            continue
    until = time.monotonic() + 0.2
    while time.monotonic() < until:
        if os.waitpid(child, os.WNOHANG)[0]:
            return
        time.sleep(0.002)
