"""Our records within a zone's file: the block, its marks, the serial, and what must not have changed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from multiall_cli.domain.records import RRset, RRsetKey, ZoneContent
from multiall_cli.planning.zones.files import (
    BEGIN,
    END,
    content_of,
    including,
    lost,
    marks_of,
    ours,
    rendered,
    with_serial,
)
from multiall_cli.planning.zones.ownership import OwnershipRecord, digest, marker_name

WWW: RRsetKey = ("www.example.net.", "A")
API: RRsetKey = ("api.example.net.", "A")
HEAD = """\
$TTL 300
@ IN SOA ns1.example.net. hostmaster.example.net. (
    7 ; serial
    3600 600 86400 60 )
@ IN NS ns1.example.net.
"""


def marked(*values: str) -> RRset:
    return RRset(60 if values else 0, values, OwnershipRecord("multiall", "web", digest(values), 5).text)


_values = st.lists(st.sampled_from(["192.0.2.1", "192.0.2.2", "192.0.2.3"]), unique=True, max_size=3).map(
    lambda each: marked(*sorted(each))
)
_records = st.dictionaries(st.sampled_from([WWW, API, ("*.example.net.", "A")]), _values)


@given(_records, _records)
def test_a_block_is_put_in_the_place_of_the_last_one_and_nothing_else_changes(
    one: dict[RRsetKey, RRset], two: dict[RRsetKey, RRset]
) -> None:
    text = rendered(rendered(HEAD, one), two)
    assert text == rendered(HEAD, two)
    assert text.startswith(HEAD)
    assert dict(marks_of(text)) == {place: each.marker for place, each in two.items()}


def test_a_block_is_lines_that_a_hand_can_read() -> None:
    text = rendered("; mine", {WWW: marked("192.0.2.1", "192.0.2.2"), API: marked()})
    assert text.splitlines() == [
        "; mine",
        BEGIN,
        f"; api.example.net. 0 IN A ; {marked().marker}",
        f"www.example.net. 60 IN A 192.0.2.1 ; {marked('192.0.2.1', '192.0.2.2').marker}",
        "www.example.net. 60 IN A 192.0.2.2",
        END,
    ]
    assert rendered("", {}) == f"{BEGIN}\n{END}\n"


def test_marks_outside_the_block_are_none() -> None:
    line = f"www.example.net. 60 IN A 192.0.2.1 ; {marked('192.0.2.1').marker}"
    assert list(marks_of(f"{line}\n")) == []
    assert list(marks_of(f"{BEGIN}\n{line}\n; words\n{END}\n{line}\n")) == [(WWW, marked("192.0.2.1").marker)]


def test_a_zone_is_read_from_canonical_lines_and_its_marks() -> None:
    soa = "ns1.example.net. hostmaster.example.net. 7 3600 600 86400 60"
    dump = "\n".join(
        [
            f"example.net. 300 IN SOA {soa}",
            "WWW.example.net. 60 IN A 192.0.2.2",
            "WWW.example.net. 60 IN A 192.0.2.1",
            "api.example.net. 60 IN CNAME WEB1.example.net.",
            'example.net. 300 IN TXT "Hello  World"',
        ]
    )
    found = content_of(dump, rendered(HEAD, {WWW: marked("192.0.2.1", "192.0.2.2")}))
    assert (found.serial, found.soa) == (7, soa)
    assert found.rrsets[WWW] == RRset(60, ("192.0.2.1", "192.0.2.2"))
    assert found.rrsets["api.example.net.", "CNAME"].values == ("web1.example.net.",)
    assert found.rrsets["example.net.", "TXT"].values == ('"Hello  World"',)
    assert ours(found) == {WWW: marked("192.0.2.1", "192.0.2.2")}
    assert ours(found)[WWW].marker == marked("192.0.2.1", "192.0.2.2").marker


def test_what_was_emptied_is_ours_still() -> None:
    found = ZoneContent(1, "", {(marker_name(WWW), "TXT"): RRset(0, (f'"{marked().marker}"',)), API: RRset(60, ("x",))})
    assert ours(found) == {WWW: RRset(0, ())}


@pytest.mark.parametrize("dump", ["words", "a. 60 IN A", "a. x IN A 192.0.2.1", "a. 60 IN A 192.0.2.1"])
def test_lines_that_are_none_are_errors(dump: str) -> None:
    """And so is a zone without its SOA."""
    with pytest.raises((ValueError, IndexError)):
        content_of(dump, "")


SOA = "ns1.example.net. hostmaster.example.net."


@pytest.mark.parametrize(
    "text",
    [
        "{soa}",
        "; the SOA of this zone\n{soa}",
        "; SOA a b 5\n{soa}",
        "soa IN A 192.0.2.1\n{soa}",
        "www IN CNAME soa\n{soa}",
        "$ORIGIN soa.example.net.\n{soa}",
        "; soa\n$TTL 300 ; of the SOA (in seconds)\n{soa}",
    ],
)
@pytest.mark.parametrize(
    "soa",
    [
        f"@ IN SOA {SOA} # 3600 600 86400 60\n",
        f"@ IN soa {SOA} (\n  # ; serial 5\n 3600 600 86400 60 )\n",
        f"@ IN SOA {SOA} ( ; of 2026\n\t#\n3600 600 86400 60)\n",
        f"@ 300 IN SOA {SOA}(#)\n",
    ],
)
def test_the_serial_is_found_wherever_it_stands(text: str, soa: str) -> None:
    before = text.format(soa=soa.replace("#", "7"))
    assert with_serial(before, 4294967295) == text.format(soa=soa.replace("#", "4294967295"))


@pytest.mark.parametrize("text", ["", "www IN A 192.0.2.1\n", "@ IN SOA ns1 host", "@ IN SOA ns1 host x", "@ IN SOA"])
def test_a_file_without_a_serial_has_none(text: str) -> None:
    assert with_serial(text, 8) is None


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("$INCLUDE our.zone\n", "$INCLUDE /tmp/x\n"),
        ('a\n$include "/etc/bind/our.zone" b.\nc\n', 'a\n$include "/tmp/x" b.\nc\n'),
        ("$INCLUDE other\n$INCLUDE our.zone", "$INCLUDE other\n$INCLUDE /tmp/x"),
        ("; $INCLUDE our.zone\n", None),
        ("$INCLUDE other.zone\n", None),
        ("", None),
    ],
)
def test_another_file_takes_the_place_of_a_fragment(text: str, found: str | None) -> None:
    assert including(text, "/etc/bind/our.zone", "/tmp/x") == found


def test_what_was_not_meant_to_change_is_lost() -> None:
    before = ZoneContent(
        1, "", {WWW: RRset(60, ("a",)), API: RRset(60, ("a",)), ("example.net.", "SOA"): RRset(1, ("1",))}
    )
    after = ZoneContent(
        2, "", {WWW: RRset(60, ("b",)), ("x.", "A"): RRset(1, ("b",)), ("example.net.", "SOA"): RRset(1, ())}
    )
    assert lost(before, after, [WWW]) == [API, ("x.", "A")]
    assert lost(before, after, [WWW, API, ("x.", "A")]) == []
    with_mark = ZoneContent(2, "", {**before.rrsets, (marker_name(WWW), "TXT"): RRset(0, ("m",))})
    assert lost(before, with_mark, [WWW]) == []
    assert lost(before, with_mark, []) == [(marker_name(WWW), "TXT")]
