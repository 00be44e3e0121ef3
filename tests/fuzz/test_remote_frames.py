"""The line between admin and member: any bytes, in any pieces, are frames or that member's fault, in bounded memory."""

import contextlib
import io
import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from multiall_cli.adapters.loop_client import NOISE, LoopClient
from multiall_cli.domain.errors import MemberFault, Unreachable
from multiall_cli.remote import frames, loop
from multiall_cli.remote.operations import find_operation
from tests.fixtures.told import Said, ToldPipe
from tests.fuzz.cases import cases
from tests.fuzz.documents import as_text, nasty, reshaped
from tests.fuzz.verdict import controls, within

KINDS = (frames.REQUEST, frames.DATA, frames.END, frames.VALUE, frames.ERROR, frames.HEARTBEAT)
values = reshaped(({"bytes": 3, "what": "x", "todo": "y", "a": [1, {"b": None}]},), nasty)
bodies = st.one_of(
    st.binary(max_size=40), values.map(as_text), st.sampled_from([b"{}", b"[" * 5000, b"\xff", b"1" * 5000])
)
good = st.builds(frames.pack, st.sampled_from(KINDS), bodies)
bad = st.one_of(
    st.binary(max_size=12),
    st.builds(lambda kind, size: kind + size.to_bytes(4, "big"), st.sampled_from(KINDS), st.integers(0, 2**32 - 1)),
    st.sampled_from([frames.HELLO, b"V\xff\xff\xff\xff", b"D\x01\x00\x00\x00", b"Last login: \x1b[31m\n"]),
)
said = st.lists(st.one_of(good, good, good, bad), max_size=6).map(b"".join)
noise = st.one_of(st.just(b""), st.just(b""), st.binary(max_size=30), st.just(b"x" * (NOISE + 1)))


def _pieces(whole: bytes, cuts: list[int]) -> list[Said]:
    """The bytes cut at some places, each piece as it would arrive."""
    ends = sorted({cut % (len(whole) + 1) for cut in cuts} | {len(whole)})
    return [("stdout", whole[start:end]) for start, end in zip([0, *ends], ends, strict=False) if end > start]


@cases(2300)
@given(noise, said, st.lists(st.integers(0, 500), max_size=4), st.binary(max_size=20), st.integers(-1, 255))
@example(b"", b"V\0\0\x13\x88" + b"[" * 5000, [], b"", 0)
@example(b"", b"X\0\0\0\x0b" + b'{"what": 1}', [], b"", 0)
def test_any_answer_is_a_value_or_a_fault_of_the_member(
    before: bytes, told: bytes, cuts: list[int], stderr: bytes, code: int
) -> None:
    """Two requests: what is left of the first answer is not believed for the second without its frames."""
    pieces = [*_pieces(before + frames.HELLO + told, cuts), ("stderr", stderr)]
    resident = LoopClient(ToldPipe(pieces, code), "bad")
    try:
        for _ in range(2):
            value = resident.call("ping", [b"x"], 1.0, {}).value()
            assert isinstance(value, dict)
    except (MemberFault, Unreachable) as fault:
        assert controls(str(fault)) == set()
        assert len(str(fault)) < 20_000


@cases(2600)
@given(
    st.lists(
        st.one_of(
            good,
            bad,
            st.builds(
                lambda name, arguments: (
                    frames.pack(frames.REQUEST, json.dumps({"operation": name, "arguments": arguments}).encode())
                    + frames.pack(frames.DATA, b"x")
                    + frames.pack(frames.END)
                ),
                st.sampled_from(["ping", "no such", "", 3, None, "host_info"]),
                st.sampled_from([{}, {"x": 1}, {"root": 3}]),
            ),
        ),
        max_size=5,
    ).map(b"".join)
)
def test_any_request_is_answered_or_ends_the_loop(asked: bytes) -> None:
    """The member's side: what comes out are frames, each whole."""
    sink = io.BytesIO()
    with contextlib.suppress(frames.BadFrame):  # the admin's own side sends no such thing: the loop ends
        loop.serve(io.BytesIO(asked), sink, find_operation)
    sink.seek(len(frames.HELLO))
    while (frame := frames.read(sink)) is not None:
        assert frame[0] in (frames.DATA, frames.HEARTBEAT, frames.VALUE, frames.ERROR)


FLOODS = {
    "a length of four gigabytes": [frames.HELLO + b"V\xff\xff\xff\xff"],
    "a length that never comes": [frames.HELLO + b"V\x00\xff\xff\xff", *[b"x" * 1000] * 100],
    "noise before the loop": [b"x" * 65536] * 2000,
    "signs of life": [frames.HELLO, *[frames.pack(frames.HEARTBEAT) * 1000] * 100],
    "pieces that no one asked for": [frames.HELLO, *[frames.pack(frames.DATA, bytes(60000))] * 2000],
    "trouble": [frames.HELLO + frames.pack(frames.ERROR, json.dumps({"what": "x" * 10**6}).encode())],
}


@pytest.mark.parametrize("flood", FLOODS)
def test_a_flood_is_not_held(flood: str) -> None:
    """Megabytes that come are megabytes that go."""
    told = (("stdout", piece) for piece in FLOODS[flood])
    with within(24), pytest.raises((MemberFault, Unreachable)) as fault:
        LoopClient(ToldPipe(told), "bad").call("ping", (), 1.0, {}).value()
    assert len(str(fault.value)) < 20_000


def test_a_flood_of_trouble_is_not_held_either() -> None:
    """What comes on the other stream."""
    told = (("stderr", b"x" * 60000) for _ in range(2000))
    with within(8), pytest.raises(MemberFault):
        LoopClient(ToldPipe(told), "bad").call("ping", (), 1.0, {}).value()
