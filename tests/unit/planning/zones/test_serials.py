"""Serials run in a circle (RFC 1982): at each place of it, and across its end."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from multiall_cli.planning.zones.serials import after, is_after

TOP = (1 << 32) - 1
HALF = 1 << 31
_serials = st.integers(0, TOP)


@pytest.mark.parametrize(
    ("one", "other", "newer"),
    [
        (1, 0, True),
        (0, 1, False),
        (5, 5, False),
        (0, TOP, True),
        (TOP, 0, False),
        (HALF - 1, 0, True),
        (0, HALF - 1, False),
        (100, TOP - 100, True),
        (2026010100, 2025123199, True),
    ],
)
def test_which_of_two_serials_is_newer(one: int, other: int, newer: bool) -> None:
    assert is_after(one, other) is newer


@given(_serials, st.integers(1, HALF - 1))
def test_what_is_less_than_half_a_circle_ahead_is_newer_and_never_both(start: int, step: int) -> None:
    """RFC 1982, 3.2."""
    ahead = (start + step) % (TOP + 1)
    assert is_after(ahead, start)
    assert not is_after(start, ahead)


@given(_serials)
def test_two_that_are_half_a_circle_apart_are_in_no_order(start: int) -> None:
    """RFC 1982 leaves it open; neither is taken for news."""
    across = (start + HALF) % (TOP + 1)
    assert not is_after(across, start)
    assert not is_after(start, across)


@given(_serials, st.lists(st.integers(0, HALF - 3), min_size=1, max_size=8))
def test_the_next_serial_is_newer_than_each_of_a_list_within_half_a_circle(start: int, steps: list[int]) -> None:
    serials = [(start + each) % (TOP + 1) for each in steps]
    found = after(serials)
    assert all(is_after(found, each) for each in serials)
    assert 0 < found <= TOP


def test_zero_is_left_out() -> None:
    assert after([TOP]) == 1
    assert after([TOP, 3]) == 4
    assert after([3, TOP]) == 4
