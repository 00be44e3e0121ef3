"""Which version is the newer one."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from multiall_cli.remote.formats.package_versions import compare_debian, compare_rpm

# As rpm's own table of tests (rpmvercmp.at) has them.
RPM = [
    ("1.0", "1.0", 0), ("1.0", "2.0", -1), ("2.0.1", "2.0", 1), ("2.0.1", "2.0.1a", -1), ("5.5p1", "5.5p2", -1),
    ("5.5p10", "5.5p1", 1), ("10xyz", "10.1xyz", -1), ("xyz10", "xyz10.1", -1), ("xyz.4", "8", -1), ("xyz.4", "2", -1),
    ("5.5p2", "5.6p1", -1), ("5.6p1", "6.5p1", -1), ("6.0.rc1", "6.0", 1), ("10b2", "10a1", 1), ("1.0aa", "1.0a", 1),
    ("10.0001", "10.0039", -1), ("4.999.9", "5.0", -1), ("20101121", "20101122", -1), ("2_0", "2_0", 0),
    ("2.0", "2_0", 0), ("a", "a_", 0), ("+a", "_a", 0), ("1.0~rc1", "1.0", -1), ("1.0~rc1~git123", "1.0~rc1", -1),
    ("1.0~rc1", "1.0arc1", -1), ("1.0^", "1.0", 1), ("1.0^git1", "1.0^git2", -1), ("1.0^git1", "1.01", -1),
    ("1.0^20160101", "1.0.1", -1), ("1.0^20160101^git1", "1.0^20160102", -1), ("1.0~rc1^git1", "1.0~rc1", 1),
    ("1.0^git1~pre", "1.0^git1", -1), ("1:1.0", "2.0", 1), ("0:1.0-3", "1.0-2", 1), ("1.0-3.el9", "1.0", 0),
    ("1.10", "1.9", 1), ("1.05", "1.5", 0),
]  # fmt: skip


@pytest.mark.parametrize(("one", "other", "sign"), RPM)
def test_of_rpm(one: str, other: str, sign: int) -> None:
    assert (compare_rpm(one, other), compare_rpm(other, one)) == (sign, -sign)


DEBIAN = [
    ("1.0", "1.0-0", 0), ("1.0~rc1", "1.0", -1), ("1.0", "1.0-1", -1), ("1:0.1", "9", 1), ("1.2.3-1+b1", "1.2.3-1", 1),
    ("1.0a", "1.0+", -1), ("1.10", "1.9", 1), ("0:1", "1", 0), ("1.001", "1.1", 0), ("1~~", "1~", -1),
    ("2.36-9+deb12u10", "2.36-9+deb12u9", 1), ("1.0-1-2", "1.0-2-1", -1),
]  # fmt: skip


@pytest.mark.parametrize(("one", "other", "sign"), DEBIAN)
def test_of_debian(one: str, other: str, sign: int) -> None:
    assert (compare_debian(one, other), compare_debian(other, one)) == (sign, -sign)


WORDS = st.from_regex(re.compile(r"(?:[0-3]:)?[0-9][0-9a-cA-C.+~-]{0,8}", re.ASCII), fullmatch=True)


@pytest.mark.parametrize("order", [compare_debian, compare_rpm])
@given(st.data())
def test_it_is_an_order(order: object, data: st.DataObject) -> None:
    """What is newer than the newer is newer than the older."""
    assert callable(order)
    one, two, three = (data.draw(WORDS) for _ in range(3))
    assert order(one, one) == 0
    assert order(one, two) == -order(two, one)
    # Without a release all releases are equal to rpm: of that no order can be made.
    if order is compare_debian and order(one, two) <= 0 and order(two, three) <= 0:
        assert order(one, three) <= 0
