"""What a command prints: any bytes in any pieces are harmless text on a screen and in every format, within bounds."""

import json
from collections.abc import Sequence
from xml.etree import ElementTree

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from multiall_cli.adapters.clock import SystemClock
from multiall_cli.cli.options import Format, Given
from multiall_cli.cli.render import servers as render
from multiall_cli.cli.render.result import show
from multiall_cli.domain.inventory import Become, BecomeMethod, Link, Server
from multiall_cli.engine.context import Context
from multiall_cli.engine.execute import execute
from multiall_cli.ports.session import HEAD, TAIL
from tests.fixtures.contexts import context
from tests.fixtures.desk import printed
from tests.fixtures.told import Said, ToldPipe, ToldTransport
from tests.fuzz.cases import cases
from tests.fuzz.documents import SIGNS
from tests.fuzz.verdict import controls, ended_well, within

SERVERS = tuple(Server(name=f"web{at}", address="192.0.2.1", link=Link.SSH) for at in range(3))
ASKING = Server("web3", "192.0.2.1", Link.SSH, become=Become(BecomeMethod.SUDO))

pieces = st.one_of(
    st.binary(max_size=20),
    st.lists(st.sampled_from([*SIGNS, "red", "[bold]x[/]", "\x1b]0;t\x07", "\x1b[2J"]), max_size=5).map(
        lambda signs: "".join(signs).encode("utf-8", "surrogatepass")
    ),
    st.sampled_from(
        [b"\n" * 50, b"::error::x\n", b"]]>", b"</testcase>", b"sudo: a password is required\n", b"a\r" * 9]
    ),
)
said = st.lists(st.tuples(st.sampled_from(["stdout", "stderr"]), pieces), max_size=6)


def _world(told: Sequence[list[Said]], codes: Sequence[int]) -> Context:
    def pipe(server: Server, argv: Sequence[str]) -> ToldPipe:
        at = int(server.name[3:])
        return ToldPipe(told[at % len(told)], codes[at % len(codes)])

    return context(ToldTransport(pipe), None, SystemClock(), parallel=1)  # exec stores nothing


def _parses(form: Format, out: str) -> None:
    if form is Format.JSON:
        json.loads(out)
    elif form is Format.NDJSON:
        assert [json.loads(line) for line in out.splitlines()]
    elif form is Format.YAML:
        yaml.safe_load(out)
    elif form is Format.JUNIT:
        ElementTree.fromstring(out)


@cases(600)
@given(
    st.lists(said, min_size=1, max_size=3), st.lists(st.integers(-1, 300), min_size=1, max_size=3),
    st.sampled_from(Format), st.booleans(), st.booleans(),
)  # fmt: skip
@example([[("stdout", b"\xff\x1b[31m\xe2\x80\xae")]], [0], Format.JSON, False, False)
def test_any_output_is_shown_as_harmless_text(
    told: list[list[Said]], codes: list[int], form: Format, quiet: bool, diff: bool
) -> None:
    """In every format, and what is for machines can be read by them."""
    answers = list(execute(_world(told, codes), [*SERVERS, ASKING], ["x"]))
    assert len(answers) == 4
    done = printed(lambda: show(Given(output=form, quiet=quiet), render.executed(answers, diff=diff)))
    ended_well(done)
    if done.out and not quiet:
        _parses(form, done.out)


@cases(700)
@given(said, st.integers(0, 3))
def test_any_stream_of_output_is_shown_line_by_line(told: list[Said], code: int) -> None:
    """Each line with its server's name before it, so that no member can speak for another."""

    def live() -> int:
        shown = render.Live()
        answers = list(execute(_world([told], [code]), SERVERS[:1], ["x"], on_output=shown))
        shown.finish()
        return show(Given(), render.streamed(answers))

    done = printed(live)
    ended_well(done)
    for line in (done.out + done.err).split("\n"):
        assert not line or line.startswith(("web0: ", "--- web0 ")), line


@pytest.mark.parametrize("piece", [b"x" * 60000, b"\x1b[31m" * 10000, b"\n" * 60000, b"\xff" * 60000])
def test_a_flood_of_output_is_not_held(piece: bytes) -> None:
    """Of two hundred megabytes, the head and the tail."""
    told = ToldTransport(lambda server, argv: ToldPipe(("stdout", piece) for _ in range(3400)))
    world = context(told, None, SystemClock(), parallel=1)
    with within(32):
        (answer,) = execute(world, SERVERS[:1], ["x"])
    assert len(answer.stdout) < HEAD + TAIL + 100
    assert controls(answer.trouble) == set()


def test_a_line_without_an_end_is_shown_in_parts() -> None:
    """It is not waited for."""
    shown = render.Live()
    with within(16):
        printed(lambda: [shown("web1", "stdout", b"x" * 10000) for _ in range(300)] and 0)
