"""The admin host's half of the remote loop: sends the bundle once, then requests, and reads the answers."""

import json
import time
from collections.abc import Iterable, Iterator, Mapping

from multiall_cli.adapters.process import Process
from multiall_cli.adapters.remote_bundle import EXTRA_MODULES, bundle, extra_bundle
from multiall_cli.adapters.time_budget import SILENCES, TimeBudget
from multiall_cli.domain.errors import MemberFault, Overtaken, Unreachable
from multiall_cli.remote import frames

PACKET = 1 << 16  # bytes per write: small pieces share a packet and a system call
MOST_WORDS = 500  # letters of a member's error text
NESTED = 50  # depth of lists and objects in an answer; ours are three deep
MOST_EARLY = 1 << 20  # bytes that may arrive before the member has the whole payload
MOST_VALUE = 8 << 20  # bytes of the value at an answer's end
MOST_PARTS = 100_000  # lists and objects in that value: each takes about 60 bytes of memory for 2 bytes of text
MOST_PASSED = 1 << 26  # unread bytes of an answer that are skipped before the next call of the session
NOISE = 1 << 16  # bytes that login scripts may print before the loop answers


class LoopClient:
    """Client of the remote loop on a member. One request at a time."""

    def __init__(self, process: Process, server: str, first: bytes = b"") -> None:
        """`server`: the server's name in messages; `first`: sent before the bundle (a password line)."""
        self._process = process
        self._server = server
        self._is_greeted = False
        self._sent: set[str] = set()
        self._buffer = bytearray()
        self._first = first + bundle()
        self._doing = "the start of the remote loop"
        self._answer: LoopReply | None = None
        self._budget = TimeBudget(SILENCES)
        self.stderr = bytearray()

    def call(
        self,
        operation: str,
        payload: Iterable[bytes],
        timeout: float,
        arguments: Mapping[str, object],
        ends: float | None = None,
    ) -> "LoopReply":
        """Send a request with its payload; return a Reply to read the answer from.

        `ends`: seconds until the whole answer must have arrived, even if the member keeps sending. Unread parts of the
        previous answer are skipped.
        """
        if self._answer is not None:
            self._answer.pass_over()
        self._doing = f"'{operation}'"
        told = {"operation": operation, "arguments": dict(arguments), "patience": min(timeout, frames.LONGEST_PATIENCE)}
        request = json.dumps(told).encode("ascii")
        if operation in EXTRA_MODULES and operation not in self._sent:
            self._sent.add(operation)
            self._first += extra_bundle(operation)
        waiting = bytearray(self._first + frames.pack(frames.REQUEST, request))
        self._first = b""
        self._budget = TimeBudget(SILENCES * timeout)
        for piece in self._budget.untimed(payload):
            waiting += frames.pack(frames.DATA, piece)
            if len(waiting) >= PACKET or not piece:  # an empty piece is a heartbeat: send it at once
                if self._process.ready() and self._answered_early(timeout):
                    waiting.clear()
                    break
                self._send(bytes(waiting))
                waiting.clear()
        self._send(bytes(waiting) + frames.pack(frames.END))
        self._answer = LoopReply(self, timeout, ends)
        return self._answer

    def _answered_early(self, timeout: float) -> bool:
        """Return whether the member gave up before it had the whole payload (greetings and heartbeats do not count).

        An honest member sends little before that, so a flood is not buffered.
        """
        while self._process.ready() and len(self._buffer) <= MOST_EARLY:
            self._fill(timeout)
        if not self._is_greeted and not self._greet_from_buffer():
            return False
        beats = 0
        while self._buffer.startswith(frames.HEARTBEAT, beats):
            beats += frames.HEADER_SIZE
        del self._buffer[:beats]
        return bool(self._buffer)

    def _send(self, piece: bytes) -> None:
        try:
            self._process.send(piece)
        except BrokenPipeError:
            raise self._end_error() from None
        self._budget.earn(len(piece))

    def _fill(self, timeout: float) -> None:
        """Read more output into the buffer."""
        left = self._budget.left()
        if left <= 0:
            raise MemberFault(
                self._server,
                f"{self._doing} made no progress for {self._budget.seconds:g} s (heartbeats only)",
                "check its load and its disks, or raise the limit with --timeout SECONDS",
            )
        try:
            output = self._process.receive(min(timeout, left))
        except TimeoutError:
            if left < timeout:
                return  # the next call reports it
            raise MemberFault(
                self._server, f"no answer to {self._doing} for {timeout:g} s", "raise the limit with --timeout SECONDS"
            ) from None
        if output is None:
            raise self._end_error()
        stream, piece = output
        if stream == "stdout":
            self._buffer += piece
        else:
            self.stderr += piece[: 65536 - len(self.stderr)]

    def _end_error(self) -> MemberFault | Unreachable:
        """Return the error for a loop that ended while an answer was due."""
        try:
            while (output := self._process.receive(1.0)) is not None:
                if output[0] == "stderr":
                    self.stderr += output[1][: 65536 - len(self.stderr)]
            code = self._process.exit_code()
        except Unreachable as fault:
            return fault
        except TimeoutError:
            code = -1
        words = bytes(self.stderr).decode("utf-8", "replace").strip().splitlines()
        if not self._is_greeted:
            return LoopNotStarted(self._server, code, bytes(self.stderr))
        last = words[-1] if words else "no output"
        return MemberFault(
            self._server, f"the remote loop ended during {self._doing} (exit {code}: {last})", "run again"
        )

    def _greet_from_buffer(self) -> bool:
        place = self._buffer.find(frames.HELLO)
        if place < 0:
            if len(self._buffer) > NOISE:
                raise MemberFault(
                    self._server,
                    f"{len(self._buffer)} bytes of other output came before the remote loop answered",
                    f"let its login scripts print nothing without a terminal; `ssh {self._server} true` shows it",
                )
            return False
        del self._buffer[: place + len(frames.HELLO)]
        self._is_greeted = True
        return True

    def frame(self, timeout: float) -> tuple[bytes, bytes]:
        """Return the next frame of the answer."""
        while not self._is_greeted and not self._greet_from_buffer():
            self._fill(timeout)
        while len(self._buffer) < frames.HEADER_SIZE:
            self._fill(timeout)
        try:
            kind, length = frames.unpack_header(bytes(self._buffer[: frames.HEADER_SIZE]))
        except frames.BadFrame as bad:
            raise MemberFault(
                self._server,
                f"invalid answer to {self._doing}: {bad}",
                f"run `multiall doctor {self._server}`",
            ) from None
        while len(self._buffer) < frames.HEADER_SIZE + length:
            self._fill(timeout)
        body = bytes(self._buffer[frames.HEADER_SIZE : frames.HEADER_SIZE + length])
        del self._buffer[: frames.HEADER_SIZE + length]
        if kind == frames.DATA:
            self._budget.earn(length)
        return kind, body

    def limit(self, seconds: float) -> None:
        """Set how many seconds the operation may take without progress."""
        self._budget = TimeBudget(seconds)

    def garbage(self, what: str) -> MemberFault:
        return MemberFault(
            self._server,
            f"invalid answer to {self._doing}: {what}",
            f"run `multiall doctor {self._server}`",
        )

    def fault(self, told: Mapping[str, object]) -> MemberFault:
        """Return the error of an ERROR frame."""
        why = str(told.get("what", "no reason given"))[:MOST_WORDS]
        todo = str(told.get("todo", "fix that on the server and run again"))[:MOST_WORDS]
        if told.get("kind") == "overtaken":
            return Overtaken(self._server, why, todo)
        return MemberFault(self._server, f"{self._doing} failed: {why}", todo)

    def close(self) -> None:
        self._process.close()


class LoopNotStarted(MemberFault):
    """The loop never answered: no python3, sudo refused, or an unusual login shell."""

    def __init__(self, server: str, code: int, stderr: bytes) -> None:
        self.code = code
        self.stderr = stderr
        words = stderr.decode("utf-8", "replace").strip().splitlines()
        if code == 127 or (b"python3" in stderr and b"not found" in stderr):
            super().__init__(
                server, "python3 is missing", "install it (3.6 or newer) or take the server out of the pool"
            )
        else:
            last_line = words[-1] if words else "no output"
            super().__init__(
                server,
                f"python3 did not start (exit {code}: {last_line})",
                f"try `multiall exec {server} -- python3 --version`",
            )


def _is_deeper(value: object, most: int) -> bool:
    """Return whether lists and objects are nested more than `most` deep: recursion over them would fail."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return bool(inner) and (not most or any(_is_deeper(each, most - 1) for each in inner))


class LoopReply:
    """A Reply that reads from the loop on demand."""

    def __init__(self, client: LoopClient, timeout: float, ends: float | None) -> None:
        self._client = client
        self._timeout = timeout
        self._until = None if ends is None else time.monotonic() + ends
        self._value: Mapping[str, object] | None = None

    def pieces(self) -> Iterator[bytes]:
        while self._value is None:
            if self._until is not None and time.monotonic() > self._until:
                raise self._client.garbage("it does not end")
            kind, body = self._client.frame(self._timeout)
            if kind == frames.DATA:
                yield body
            elif kind in (frames.VALUE, frames.ERROR):
                self._end(kind, body)
            elif kind != frames.HEARTBEAT:
                raise self._client.garbage(f"a frame of kind {kind!r}")

    def _end(self, kind: bytes, body: bytes) -> None:
        if len(body) > MOST_VALUE or body.count(b"[") + body.count(b"{") > MOST_PARTS:
            raise self._client.garbage(f"a value of {len(body)} bytes with too many parts")
        try:
            value = json.loads(body)
        except (ValueError, RecursionError):
            raise self._client.garbage("a value that is not JSON") from None
        if not isinstance(value, dict):
            raise self._client.garbage("a value that is not an object")
        if body.count(b"[") + body.count(b"{") > NESTED and _is_deeper(value, NESTED):
            raise self._client.garbage(f"a value that is nested more than {NESTED} deep")
        self._value = value
        if kind == frames.ERROR:
            raise self._client.fault(value)

    def pass_over(self) -> None:
        """Skip the rest of the answer; the operation's result no longer matters. Raises MemberFault.

        The time limit is one silence, because another call waits.
        """
        self._client.limit(self._timeout)
        left = MOST_PASSED
        while self._value is None:
            kind, body = self._client.frame(self._timeout)
            left -= frames.HEADER_SIZE + len(body)
            if kind in (frames.VALUE, frames.ERROR):
                self._value = {}
            elif left < 0 or kind not in (frames.DATA, frames.HEARTBEAT):
                raise self._client.garbage("more output than expected")

    def value(self) -> Mapping[str, object]:
        for _ in self.pieces():
            pass
        assert self._value is not None  # noqa: S101  (pieces ends only with a value or an error)
        return self._value
