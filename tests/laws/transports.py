"""The laws of transports: what every one of them must do, whatever it is made of."""

import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from multiall_cli.domain.errors import MemberFault, Unreachable
from multiall_cli.domain.inventory import Server
from multiall_cli.ports.session import Session
from multiall_cli.ports.transport import Transport

HOSTILE = (
    "a b",
    "",
    " ",
    "it's",
    '"',
    "$(touch x)",
    "`touch x`",
    "$HOME",
    "${HOME}",
    ";",
    "&& false",
    "| cat",
    ">x",
    "*",
    "~",
    "~root",
    "[a-z]",
    "{a,b}",
    "#",
    "!",
    "!!",
    "\\",
    "\\\\n",
    "\n",
    "a\nb\n",
    "\t",
    "-n",
    "--",
    "ü€😀",
    "\udcff",
    "%s",
    "=x",
    "^",
    "'\"'\"'",
)
ROOT = Path(__file__).parents[2]


@dataclass
class World:
    """A transport with a server to talk to; `recipe` is how another process opens the same (see measure.py)."""

    transport: Transport
    server: Server
    recipe: dict[str, object] = field(default_factory=dict)

    def open(self) -> Session:
        return self.transport.open(self.server)


class TransportLaws:
    """Subclasses give a `world` fixture."""

    @pytest.fixture
    def session(self, world: World) -> Iterator[Session]:
        session = world.open()
        yield session
        session.close()

    def test_exit_codes(self, session: Session) -> None:
        for code in (0, 1, 3, 126, 255):
            assert session.run(["sh", "-c", f"exit {code}"]).exit_code == code

    @pytest.mark.parametrize("number", [9, 15, 6])
    def test_signals(self, session: Session, number: int) -> None:
        assert session.run(["sh", "-c", f"kill -{number} $$"]).exit_code == 128 + number

    def test_missing_program(self, session: Session) -> None:
        done = session.run(["no-such-program-here", "x"])
        assert done.exit_code == 127
        assert b"not found" in done.stderr.whole()

    def test_what_was_run_is_told(self, session: Session) -> None:
        assert session.run(["printf", "x"]).argv == ("printf", "x")

    def test_arguments_arrive_as_they_are(self, session: Session) -> None:
        done = session.run(["printf", "%s\\0", *HOSTILE])
        assert done.stdout.whole().split(b"\0")[:-1] == [word.encode("utf-8", "surrogateescape") for word in HOSTILE]

    @pytest.mark.parametrize("word", HOSTILE)
    def test_each_argument_alone(self, session: Session, word: str) -> None:
        assert session.run(["printf", "%s", word]).stdout.whole() == word.encode("utf-8", "surrogateescape")

    def test_input_is_echoed(self, session: Session) -> None:
        text = bytes(range(256)) * (5 << 12)
        heard: list[bytes] = []
        done = session.run(["cat"], stdin=text, on_output=lambda stream, piece: heard.append(piece))
        assert done.exit_code == 0
        assert b"".join(heard) == text
        assert done.stdout.dropped == len(text) - (2 << 20)
        assert done.stdout.head + done.stdout.tail == text[: 1 << 20] + text[-(1 << 20) :]

    def test_input_with_hostile_arguments(self, session: Session) -> None:
        assert (
            session.run(["sh", "-c", "cat; printf '\\n!'"], stdin=b"first\nsecond").stdout.head == b"first\nsecond\n!"
        )

    def test_input_that_nobody_reads(self, session: Session) -> None:
        assert session.run(["true"], stdin=b"x" * (5 << 20)).exit_code == 0

    def test_no_input_ends_at_once(self, session: Session) -> None:
        assert session.run(["cat"]).stdout.whole() == b""

    def test_both_streams(self, session: Session) -> None:
        script = "i=0; while [ $i -lt 2000 ]; do echo out $i; echo err $i >&2; i=$((i+1)); done"
        done = session.run(["sh", "-c", script])
        assert done.stdout.whole() == b"".join(b"out %d\n" % i for i in range(2000))
        assert done.stderr.whole() == b"".join(b"err %d\n" % i for i in range(2000))

    def test_streams_come_as_they_are_written(self, session: Session) -> None:
        """Each line waits until the one before it was seen: only a reader that gives output at once passes."""
        seen = []
        script = "echo one; read a; echo two >&2; read a; echo three"
        done = session.run(["sh", "-c", script], stdin=b"\n\n", on_output=lambda *output: seen.append(output))
        assert done.exit_code == 0
        assert [piece for stream, piece in seen if stream == "stdout"][-1].endswith(b"three\n")
        assert ("stderr", b"two\n") in seen

    def test_silence_is_limited_and_named(self, session: Session) -> None:
        with pytest.raises(MemberFault, match=r"`sleep` printed nothing for 0\.2 s .*; .*--timeout"):
            session.run(["sleep", "60"], timeout=0.2)
        assert session.run(["true"]).exit_code == 0

    def test_calls_are_limited_and_named(self, session: Session) -> None:
        session.call("ping").value()
        gate = threading.Event()

        def payload() -> Iterator[bytes]:
            yield b"x"
            gate.set()

        assert session.call("ping", payload(), timeout=5).value() == {"bytes": 1}
        assert gate.is_set()

    def test_ping_comes_back(self, session: Session) -> None:
        pieces = [b"a" * 3, b"", bytes(range(256)), b"z" * (1 << 20)]
        reply = session.call("ping", pieces)
        assert b"".join(reply.pieces()) == b"".join(pieces)
        assert reply.value() == {"bytes": sum(map(len, pieces))}

    def test_many_calls_on_one_session(self, session: Session) -> None:
        for number in range(200):
            assert b"".join(session.call("ping", [b"%d" % number]).pieces()) == b"%d" % number

    def test_runs_between_calls(self, session: Session) -> None:
        for _ in range(3):
            assert session.call("ping").value() == {"bytes": 0}
            assert session.run(["printf", "x"]).stdout.head == b"x"

    def test_facts_are_of_the_member(self, session: Session) -> None:
        assert session.call("host_info").value()["hostname"] == session.run(["hostname"]).stdout.head.decode().strip()

    def test_unknown_operation(self, session: Session) -> None:
        with pytest.raises(MemberFault, match="unknown operation 'dance'; "):
            session.call("dance").value()
        assert session.call("ping").value() == {"bytes": 0}

    def test_unknown_operation_with_much_to_send(self, session: Session) -> None:
        session.call("ping").value()
        with pytest.raises(MemberFault, match="unknown operation"):
            session.call("dance", (b"x" * (1 << 20) for _ in range(50))).value()
        assert session.call("ping", [b"x"]).value() == {"bytes": 1}

    def test_operation_that_fails(self, session: Session) -> None:
        with pytest.raises(MemberFault, match=r"host_info.*failed: TypeError"):
            session.call("host_info", colour="red").value()
        assert session.call("ping").value() == {"bytes": 0}

    def test_pieces_that_nobody_reads_are_passed_over(self, session: Session) -> None:
        assert session.call("ping", [b"x" * 100_000] * 5).value() == {"bytes": 500_000}
        assert session.call("ping").value() == {"bytes": 0}

    def test_an_answer_that_was_not_read_is_not_the_next_ones(self, session: Session) -> None:
        session.call("ping", [b"unread"])
        half = session.call("ping", [b"half", b"read"]).pieces()
        assert next(half) == b"half"
        session.call("no such operation")
        reply = session.call("ping", [b"last"])
        assert (b"".join(reply.pieces()), reply.value()) == (b"last", {"bytes": 4})

    def test_many_sessions_at_once(self, world: World) -> None:
        def one(number: int) -> bytes:
            session = world.open()
            try:
                return session.run(["printf", str(number)]).stdout.head
            finally:
                session.close()

        with ThreadPoolExecutor(8) as threads:
            assert list(threads.map(one, range(24))) == [b"%d" % number for number in range(24)]

    def test_close_twice(self, world: World) -> None:
        session = world.open()
        session.call("ping").value()
        session.close()
        session.close()

    @pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc for the peak of one program")
    @pytest.mark.parametrize("what", ["output", "payload"])
    def test_a_flood_does_not_fill_the_memory(self, world: World, what: str) -> None:
        """100 MB of output, 100 MB of payload: measured in a process of its own."""
        done = subprocess.run(
            [sys.executable, str(Path(__file__).with_name("measure.py")), what, json.dumps(world.recipe)],
            cwd=ROOT,
            env={"PYTHONPATH": str(ROOT), "PATH": "/usr/local/bin:/usr/bin:/bin"},
            capture_output=True,
            check=True,
            timeout=60,
        )
        told = json.loads(done.stdout)
        assert told["bytes"] == 100_000_000
        assert told["peak_mb"] < 150


@dataclass
class FaultyWorld(World):
    """A server that can be made to misbehave. `prelude`: POSIX sh that runs before its python3 does."""

    prelude: Callable[[str], None] = lambda text: None
    kill: Callable[[], None] = lambda: None


class FaultLaws:
    """What a member may do to us. Subclasses give a `faulty` fixture, well at the beginning of each test."""

    def greeted(self, faulty: FaultyWorld, prelude: str) -> Session:
        faulty.prelude(prelude)
        return faulty.open()

    def test_login_noise_is_passed_over(self, faulty: FaultyWorld) -> None:
        session = self.greeted(faulty, "head -c 4000 /dev/zero | tr '\\0' n; echo; echo Welcome >&2")
        assert session.call("ping", [b"x"]).value() == {"bytes": 1}
        session.close()

    def test_much_noise_is_an_error(self, faulty: FaultyWorld) -> None:
        session = self.greeted(faulty, "head -c 100000 /dev/zero | tr '\\0' n")
        with pytest.raises(MemberFault, match="bytes of other output came before"):
            session.call("ping").value()
        session.close()

    def test_endless_noise_is_an_error(self, faulty: FaultyWorld) -> None:
        session = self.greeted(faulty, "exec yes")
        with pytest.raises(MemberFault, match="bytes of other output came before"):
            session.call("ping").value()
        session.close()

    def test_garbage_for_an_answer(self, faulty: FaultyWorld) -> None:
        session = self.greeted(faulty, "printf '\\0multiall loop 1\\nZZZZZZZZZZ'; exec cat >/dev/null")
        with pytest.raises(MemberFault, match="invalid answer to 'ping': a frame of unknown kind b'Z'"):
            session.call("ping").value()
        session.close()

    def test_a_frame_too_large(self, faulty: FaultyWorld) -> None:
        session = self.greeted(faulty, "printf '\\0multiall loop 1\\nV\\377\\377\\377\\377'; exec cat >/dev/null")
        with pytest.raises(MemberFault, match="invalid answer to 'ping': a frame of 4294967295 bytes"):
            session.call("ping").value()
        session.close()

    def test_a_value_that_is_none(self, faulty: FaultyWorld) -> None:
        session = self.greeted(faulty, "printf '\\0multiall loop 1\\nV\\0\\0\\0\\004oops'; exec cat >/dev/null")
        with pytest.raises(MemberFault, match="invalid answer to 'ping': a value that is not JSON"):
            session.call("ping").value()
        session.close()

    def test_silence(self, faulty: FaultyWorld) -> None:
        session = self.greeted(faulty, "exec cat >/dev/null")
        with pytest.raises(MemberFault, match=r"no answer to 'ping' for 0\.3 s"):
            session.call("ping", timeout=0.3).value()
        session.close()

    def test_no_python(self, faulty: FaultyWorld) -> None:
        session = self.greeted(faulty, "echo 'sh: 1: python3: not found' >&2; exit 127")
        with pytest.raises(MemberFault, match=f"^{faulty.server.name}: python3 is missing; "):
            session.call("ping").value()
        assert session.run(["printf", "x"]).exit_code in (0, 127)
        session.close()

    def test_words_of_a_member_cannot_steer_the_terminal(self, faulty: FaultyWorld) -> None:
        session = self.greeted(faulty, "printf '\\033[31m\\033]0;x\\007\\rboom' >&2; exit 3")
        with pytest.raises(MemberFault, match="boom") as caught:
            session.call("ping").value()
        assert str(caught.value).isprintable()
        session.close()

    def test_the_loop_dies(self, faulty: FaultyWorld) -> None:
        script = "printf '\\0multiall loop 1\\n'; head -c 1 >/dev/null; echo dying >&2; exit 4"
        session = self.greeted(faulty, script)
        with pytest.raises(MemberFault, match=r"the remote loop ended during 'ping' \(exit 4: dying\)"):
            session.call("ping").value()
        session.close()

    def test_the_member_dies_in_mid_call(self, faulty: FaultyWorld) -> None:
        session = self.greeted(faulty, ":")
        session.call("ping").value()

        def payload() -> Iterator[bytes]:
            yield b"x" * 1000
            faulty.kill()
            while True:
                yield b"x" * (1 << 20)

        with pytest.raises(Unreachable) as caught:
            session.call("ping", payload()).value()
        assert caught.value.reason == "away"
        session.close()

    def test_the_member_dies_while_a_command_runs(self, faulty: FaultyWorld) -> None:
        session = self.greeted(faulty, ":")
        with pytest.raises(Unreachable) as caught:
            session.run(["sh", "-c", "echo up; exec sleep 60"], on_output=lambda *_: faulty.kill())
        assert caught.value.reason == "away"
        session.close()

    def test_the_member_dies_between_two_commands(self, faulty: FaultyWorld) -> None:
        session = self.greeted(faulty, ":")
        assert session.run(["true"]).exit_code == 0
        faulty.kill()
        with pytest.raises(Unreachable) as caught:
            session.run(["true"])
        assert caught.value.reason == "away"
        session.close()
