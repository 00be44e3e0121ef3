"""The loop on the member: reads requests from stdin, runs operations and writes answers, until stdin ends."""

import errno
import json
import os
import resource
import signal
import sys
import time
import traceback
import zlib

from multiall_cli.remote import frames, importer
from multiall_cli.remote.refusal import Refusal

HEARTBEAT_INTERVAL = 5.0  # seconds between heartbeats of a long operation, at most
MAX_OPEN_FILES = 8192  # open files that the loop may need
BEATS_PER_PATIENCE = 3  # heartbeats within the time that the admin host waits


class Request(object):
    """A request: its payload in, pieces of the answer out. `patience`: seconds that the admin host may be silent."""

    def __init__(self, source, sink, patience, set_alarm):
        self.patience = patience
        self._heartbeat_interval = min(HEARTBEAT_INTERVAL, patience / BEATS_PER_PATIENCE)
        self._set_alarm = set_alarm
        self._source = source
        self._sink = sink
        self._ended = False
        self._last_sent = time.monotonic()

    def payload(self):
        """Yield the pieces of the payload in order."""
        while not self._ended:
            frame = frames.read(self)
            if frame is None:
                raise EOFError("the admin host closed the connection")
            kind, body = frame
            if kind == frames.END:
                self._ended = True
            elif kind == frames.DATA:
                if body:  # an empty one is the admin host's heartbeat
                    yield body
            else:
                raise frames.BadFrame("a frame of kind %r within a payload" % kind)

    def read(self, size):
        """Read bytes from the source, fewer at its end. Every byte restarts the timeout."""
        pieces = []
        while size:
            self._set_alarm(self.patience)
            piece = self._source.read1(size)
            self._set_alarm(0)
            if not piece:
                break
            pieces.append(piece)
            size -= len(piece)
        return b"".join(pieces)

    def send(self, body):
        """Send a piece of the answer, of any length."""
        for start in range(0, len(body), frames.MAX_DATA):
            self._sink.write(frames.pack(frames.DATA, body[start : start + frames.MAX_DATA]))
        self._last_sent = time.monotonic()

    def heartbeat(self):
        """Report that work goes on, at most once per interval. Call it often."""
        if time.monotonic() - self._last_sent > self._heartbeat_interval:
            self._sink.write(frames.pack(frames.HEARTBEAT))
            self._sink.flush()
            self._last_sent = time.monotonic()

    def reply(self, kind, value):
        """Send the last frame of the answer."""
        self._sink.write(frames.pack(kind, json.dumps(value).encode("ascii")))
        self._sink.flush()

    def drain(self):
        """Read and drop the rest of the payload."""
        for _ in self.payload():
            pass


def _os_error(fault):
    """Return an OSError as the body of an ERROR frame."""
    path = fault.filename
    if isinstance(path, bytes):
        path = path.decode("utf-8", "surrogateescape")
    name = errno.errorcode.get(fault.errno, "OSError")
    where = " (%s)" % path if isinstance(path, str) else ""
    return {"kind": "os", "what": "%s%s" % (os.strerror(fault.errno or errno.EIO), where), "errno": name}


def _answer(request, find_operation, message):
    """Run one operation. Expected errors become ERROR frames, so that the loop survives."""
    try:
        operation = find_operation(message.get("operation"))
        if operation is None:
            raise Refusal("unknown operation %r" % message.get("operation"), "use the same release on both sides")
        value = operation(request, **message.get("arguments", {}))
    except Refusal as refusal:
        request.reply(frames.ERROR, {"kind": refusal.kind, "what": refusal.what, "todo": refusal.todo})
    except OSError as fault:
        request.reply(frames.ERROR, _os_error(fault))
    except (EOFError, frames.BadFrame):
        raise
    except Exception:  # noqa: BLE001  (the boundary: report any error, with its trace for --debug)
        failure = {"kind": "fault", "what": traceback.format_exc().splitlines()[-1], "trace": traceback.format_exc()}
        request.reply(frames.ERROR, failure)
    else:
        request.drain()
        request.reply(frames.VALUE, value)
        return
    request.drain()


def _parse_request(body):
    """Return (message, patience in seconds). Raises BadFrame."""
    try:
        message = json.loads(body.decode("ascii"))
    except (ValueError, RecursionError):
        raise frames.BadFrame("a request that is not JSON")
    if not isinstance(message, dict):
        raise frames.BadFrame("a request that is not an object")
    patience = message.get("patience", 0)
    if not isinstance(patience, (int, float)) or not 0 <= patience <= frames.LONGEST_PATIENCE:
        raise frames.BadFrame("a request without a patience")
    return message, patience


def serve(source, sink, find_operation, set_alarm=lambda seconds: None):
    """Answer requests until the source ends.

    `find_operation`: name → function(request, **arguments), or None. `set_alarm`: makes a read that takes longer raise
    EOFError; 0 seconds cancels it.
    """
    sink.write(frames.HELLO)
    sink.flush()
    while True:
        try:
            frame = frames.read(source)
            if frame is None:
                return
            kind, body = frame
            if kind == frames.MODULES:
                importer.SOURCES.update(json.loads(zlib.decompress(body).decode("ascii")))
                continue
            if kind != frames.REQUEST:
                raise frames.BadFrame("a frame of kind %r where a request belongs" % kind)
            message, patience = _parse_request(body)
            _answer(Request(source, sink, patience, set_alarm), find_operation, message)
        except (EOFError, BrokenPipeError):
            return


def main(find_operation):
    """Run the loop on stdin and stdout, which carry nothing but frames."""
    source, sink = sys.stdin.buffer, sys.stdout.buffer
    sys.stdout = sys.stderr  # a stray print must not corrupt the frames
    signal.signal(signal.SIGALRM, _time_out)
    _raise_file_limit()
    serve(source, sink, find_operation, lambda seconds: signal.setitimer(signal.ITIMER_REAL, seconds))


def _raise_file_limit():
    """A walk holds one directory open per level, and a path can have two thousand."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MAX_OPEN_FILES if hard == resource.RLIM_INFINITY else min(MAX_OPEN_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _time_out(number, frame):
    """The connection may have died silently. Exit, so that the lock of the tree is released."""
    sys.stderr.write("the admin host sent nothing for too long\n")
    raise EOFError("the admin host sent nothing for too long")
