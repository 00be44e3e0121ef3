"""Capture stores both ends of a flood of output, and counts the bytes between."""

from hypothesis import given
from hypothesis import strategies as st

from multiall_cli.adapters.process import Capture


@given(st.lists(st.binary(max_size=20)), st.integers(0, 10), st.integers(1, 10))
def test_both_ends_are_stored_and_the_rest_is_counted(pieces: list[bytes], head: int, tail: int) -> None:
    """However it is cut into pieces."""
    capture = Capture(head, tail)
    for piece in pieces:
        capture.add(piece)
    whole, kept = b"".join(pieces), capture.result()
    assert kept.head == whole[:head]
    assert kept.tail == (whole[head:] if len(whole) <= head + tail else whole[-tail:])
    assert kept.dropped == max(0, len(whole) - head - tail)
    assert len(kept.head) + kept.dropped + len(kept.tail) == len(whole)


def test_the_gap_is_marked() -> None:
    """Between the two ends."""
    capture = Capture(2, 2)
    capture.add(b"abcdef")
    assert capture.result().whole() == b"ab\n[... 2 bytes left out ...]\nef"


def test_a_flood_is_not_stored() -> None:
    """Never more than the head, twice the tail, and one piece."""
    capture = Capture(10, 100)
    for _ in range(1000):
        capture.add(bytes(50))
        assert len(capture) <= 10 + 2 * 100
