"""Padded and unpadded numbers of one width do not run into each other when they are folded."""

import pytest

from multiall_cli.planning.targets import fold


@pytest.mark.parametrize(
    ("names", "folded"),
    [
        ("web00 web99 web100", "web[00,99,100]"),
        ("web99 web100", "web[99-100]"),
        ("web9 web10 web08", "web[9,08,10]"),
        ("web098 web99 web100", "web[99,098,100]"),
        ("web08 web09 web10", "web[08-10]"),
    ],
)
def test_a_padded_number_makes_its_width_a_family_of_its_own(names: str, folded: str) -> None:
    """What NodeSet prints for the same names."""
    assert fold(names.split()) == folded
