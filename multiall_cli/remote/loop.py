"""The resident loop: reads requests from standard input, runs operations, writes answers, until its input ends."""

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

BEAT_EVERY = 5.0  # seconds between signs of life of a long operation, at most
HANDLES = 8192  # open files that the loop may need at once
BEATS = 3  # within the time that the admin waits for one


class Exchange(object):
    """One request being answered: its payload in, pieces out. `patience`: seconds that the admin may be silent."""

    def __init__(self, source, sink, patience, alarm):
        self.patience = patience
        self._beat_every = min(BEAT_EVERY, patience / BEATS)
        self._alarm = alarm
        self._source = source
        self._sink = sink
        self._ended = False
        self._last = time.monotonic()

    def payload(self):
        """The pieces that the admin sends, in order, until it ends them."""
        while not self._ended:
            frame = frames.read(self)
            if frame is None:
                raise EOFError("the admin went away")
            kind, body = frame
            if kind == frames.END:
                self._ended = True
            elif kind == frames.DATA:
                if body:  # an empty one is the admin's sign of life
                    yield body
            else:
                raise frames.BadFrame("a frame of kind %r within a payload" % kind)

    def read(self, size):
        """So many bytes of the source, fewer at its end; each that comes begins the admin's silence anew."""
        pieces = []
        while size:
            self._alarm(self.patience)
            piece = self._source.read1(size)
            self._alarm(0)
            if not piece:
                break
            pieces.append(piece)
            size -= len(piece)
        return b"".join(pieces)

    def piece(self, body):
        """Send a piece of the answer (any length; it is cut to what a frame holds)."""
        for start in range(0, len(body), frames.MAX_PIECE):
            self._sink.write(frames.pack(frames.DATA, body[start : start + frames.MAX_PIECE]))
        self._last = time.monotonic()

    def beat(self):
        """Say that work goes on, now and then; call it often."""
        if time.monotonic() - self._last > self._beat_every:
            self._sink.write(frames.pack(frames.BEAT))
            self._sink.flush()
            self._last = time.monotonic()

    def answer(self, kind, value):
        self._sink.write(frames.pack(kind, json.dumps(value).encode("ascii")))
        self._sink.flush()

    def drain(self):
        for _ in self.payload():
            pass


def _os_fault(fault):
    path = fault.filename
    if isinstance(path, bytes):
        path = path.decode("utf-8", "surrogateescape")
    name = errno.errorcode.get(fault.errno, "OSError")
    where = " (%s)" % path if isinstance(path, str) else ""
    return {"kind": "os", "what": "%s%s" % (os.strerror(fault.errno or errno.EIO), where), "errno": name}


def _answer(exchange, find, request):
    """Run one operation; its expected troubles become ERROR frames, so that the loop lives on."""
    try:
        operation = find(request.get("operation"))
        if operation is None:
            raise Refusal("unknown operation %r" % request.get("operation"), "use the same release on both sides")
        value = operation(exchange, **request.get("arguments", {}))
    except Refusal as refusal:
        exchange.answer(frames.ERROR, {"kind": refusal.kind, "what": refusal.what, "todo": refusal.todo})
    except OSError as fault:
        exchange.answer(frames.ERROR, _os_fault(fault))
    except (EOFError, frames.BadFrame):
        raise
    except Exception:  # noqa: BLE001  (the boundary: whatever went wrong is told, with its trace for --debug)
        told = {"kind": "fault", "what": traceback.format_exc().splitlines()[-1], "trace": traceback.format_exc()}
        exchange.answer(frames.ERROR, told)
    else:
        exchange.drain()
        exchange.answer(frames.VALUE, value)
        return
    exchange.drain()


def _request(body):
    """The request, and for how many seconds its admin may fall silent. Errors: BadFrame."""
    try:
        request = json.loads(body.decode("ascii"))
    except (ValueError, RecursionError):
        raise frames.BadFrame("a request that is not JSON")
    if not isinstance(request, dict):
        raise frames.BadFrame("a request that is not an object")
    patience = request.get("patience", 0)
    if not isinstance(patience, (int, float)) or not 0 <= patience <= frames.LONGEST_PATIENCE:
        raise frames.BadFrame("a request without a patience")
    return request, patience


def serve(source, sink, find, alarm=lambda seconds: None):
    """Answer requests until the source ends. `find`: operation → function(exchange, **arguments) or None.

    `alarm`: makes a read that takes so many seconds end with EOFError; 0 calls it off.
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
            request, patience = _request(body)
            _answer(Exchange(source, sink, patience, alarm), find, request)
        except (EOFError, BrokenPipeError):
            return


def main(find):
    """The loop of a member's process: frames on standard input and output, nothing else."""
    source, sink = sys.stdin.buffer, sys.stdout.buffer
    sys.stdout = sys.stderr  # a stray print must not fall between frames
    signal.signal(signal.SIGALRM, _give_up)
    _allow_many_handles()
    serve(source, sink, find, lambda seconds: signal.setitimer(signal.ITIMER_REAL, seconds))


def _allow_many_handles():
    """A walk holds a directory open for each level; a path can have some two thousand."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = HANDLES if hard == resource.RLIM_INFINITY else min(HANDLES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _give_up(number, frame):
    """The link may be gone without a word to this side: who waits on must not keep others from the tree."""
    sys.stderr.write("the admin sent nothing for too long\n")
    raise EOFError("the admin fell silent")
