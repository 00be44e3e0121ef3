"""Names as text: what is whole, what may stand, which zone holds it; and what must never get into a zone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from multiall_cli.planning.zones.names import MOST, absolute, address_type, fault_of, is_below, is_ip, reverse, zone_of
from multiall_cli.planning.zones.ownership import marker_name

_labels = st.from_regex(r"[a-z0-9_]([a-z0-9_-]{0,20}[a-z0-9_])?", fullmatch=True)
_names = st.lists(_labels, min_size=1, max_size=6).map(lambda labels: ".".join(labels) + ".")


@pytest.mark.parametrize(
    ("name", "zone", "whole"),
    [
        ("www", "example.net.", "www.example.net."),
        ("WWW", "example.net.", "www.example.net."),
        ("a.b", "example.net.", "a.b.example.net."),
        ("@", "example.net.", "example.net."),
        ("*", "example.net.", "*.example.net."),
        ("Www.Example.Org.", "example.net.", "www.example.org."),
        ("www", ".", "www."),
        ("@", ".", "."),
        (".", "example.net.", "."),
    ],
)
def test_names_are_made_whole(name: str, zone: str, whole: str) -> None:
    assert absolute(name, zone) == whole


@given(_names)
def test_a_whole_name_stays_as_it_is(name: str) -> None:
    assert absolute(name, "example.net.") == name


@pytest.mark.parametrize(
    "name",
    [
        "www.example.net.",
        "www.example.net",
        "WWW.Example.NET.",
        "*.example.net.",
        "_https._tcp.www.example.net.",
        "xn--bcher-kva.example.net.",
        "a-b.example.net.",
        "a--b.example.net.",
        "0.example.net.",
        "1.2.0.192.in-addr.arpa.",
        "f.e.e.b.d.a.e.d.ip6.arpa.",
        "net.",
        "a_b.example.net.",
        f"{'a' * 63}.example.net.",
        ".".join(["a" * 59] * 4)[:MOST],
    ],
)
def test_good_names_may_stand(name: str) -> None:
    assert fault_of(name) == ""


HOSTILE = [
    "",
    ".",
    "..",
    "...",
    "www..example.net.",
    "www.example.net..",
    "www.example.net...",
    "K..",
    ".www.example.net.",
    "www example.net.",
    "www\n.example.net.",
    "www.example.net.\n",
    "www.example.net\n",
    "www\r\n$INCLUDE /etc/shadow\n.example.net.",
    "$INCLUDE /etc/shadow",
    "$ORIGIN.example.net.",
    "$TTL",
    "www;comment.example.net.",
    ";",
    '"www".example.net.',
    "www'.example.net.",
    "www(.example.net.",
    "www).example.net.",
    "www\\.example.net.",
    "www\\032x.example.net.",
    "\\000.example.net.",
    "www\x00.example.net.",
    "www\t.example.net.",
    "www\x7f.example.net.",
    "www\x1b[31m.example.net.",
    "a/b.example.net.",
    "a@b.example.net.",
    "@",
    "@.example.net.",
    "a,b.example.net.",
    "a:b.example.net.",
    "a%b.example.net.",
    "-www.example.net.",
    "www-.example.net.",
    "-.example.net.",
    "-rf.example.net.",
    "*",
    "*.",
    "www.*.example.net.",
    "a*.example.net.",
    "**.example.net.",
    f"{'a' * 64}.example.net.",
    "a" * 300,
    ".".join(["a" * 60] * 5),
    "a." * 200,
    "bücher.example.net.",
    "www．example.net.",
    "www。example.net.",
    "ｗｗｗ.example.net.",
    "www\u200b.example.net.",
    "www\u202e.example.net.",
    "www\u2028.example.net.",
    "\udcff.example.net.",
    "😀.example.net.",
    "ü" * 64 + ".example.net.",
    "ü..example.net.",
    "а.example.net.",
    "１.example.net.",
    "\u212aube.example.net.",
]


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_are_refused_with_a_sentence(name: str) -> None:
    fault = fault_of(name)
    assert fault.startswith("has ")
    assert fault.isprintable() or not name.isprintable()
    assert "\n" not in fault


@given(st.text(max_size=80) | st.text(alphabet="ab.-*_\n", max_size=6) | st.text(alphabet='a. ;"\\$@ü', max_size=9))
def test_what_may_stand_holds_nothing_that_a_zone_file_would_obey(name: str) -> None:
    """Whatever the text is: the reader of names does not break, and letters, digits, '-', '_' and dots are left."""
    if fault_of(name) == "":
        bare = name.lower().removesuffix(".").removeprefix("*.")
        labels = bare.split(".")
        assert all(0 < len(each) < 64 for each in labels)
        assert set(bare) <= set("abcdefghijklmnopqrstuvwxyz0123456789-_.")
        assert not any(each.startswith("-") or each.endswith("-") for each in labels)


@given(st.lists(_labels, min_size=1, max_size=30).map(".".join), st.sampled_from(["A", "AAAA", "CNAME", "SRV", "PTR"]))
def test_where_a_name_may_stand_its_mark_has_room_too(name: str, kind: str) -> None:
    """At most 253 signs, without the last dot (RFC 1035, 2.3.4)."""
    if not fault_of(name):
        assert len(marker_name((name, kind))) <= 253


@pytest.mark.parametrize(("signs", "stands"), [(MOST, True), (MOST + 1, False)])
def test_a_name_is_as_long_as_its_mark_lets_it(signs: int, stands: bool) -> None:
    name = ("a" * 50 + ".") * 5
    assert (fault_of(f"{name[:signs].ljust(signs, 'b')}.") == "") is stands


def test_a_letter_beyond_ascii_is_refused_though_its_lower_case_is_within() -> None:
    assert fault_of(absolute("\u212aube", "example.net.")).startswith("has letters beyond ASCII")


def test_the_spelling_of_other_letters_is_told() -> None:
    assert fault_of("bücher.example.net.") == (
        "has letters beyond ASCII; as the DNS has it, it is xn--bcher-kva.example.net"
    )
    assert fault_of("ü" * 64 + ".example.net.") == "has letters beyond ASCII, and no spelling in the DNS"


@pytest.mark.parametrize(
    ("name", "zone", "below"),
    [
        ("www.example.net.", "example.net.", True),
        ("example.net.", "example.net.", True),
        ("badexample.net.", "example.net.", False),
        ("net.", "example.net.", False),
        ("www.example.net.", ".", True),
    ],
)
def test_what_is_in_a_zone(name: str, zone: str, below: bool) -> None:
    assert is_below(name, zone) is below


def test_the_nearest_zone_holds_a_name() -> None:
    zones = ["net.", "example.net.", "b.example.net."]
    assert zone_of("www.b.example.net.", zones) == "b.example.net."
    assert zone_of("www.example.net.", zones) == "example.net."
    assert zone_of("other.net.", zones) == "net."
    assert zone_of("example.org.", zones) == ""
    assert zone_of("example.org.", [*zones, "."]) == "."


@pytest.mark.parametrize(
    ("address", "kind", "name"),
    [
        ("192.0.2.1", "A", "1.2.0.192.in-addr.arpa."),
        ("2001:db8::1", "AAAA", "1." + "0." * 23 + "8.b.d.0.1.0.0.2.ip6.arpa."),
    ],
)
def test_addresses_have_a_type_and_a_name(address: str, kind: str, name: str) -> None:
    assert address_type(address) == kind
    assert reverse(address) == name


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("192.0.2.1", True),
        ("2001:db8::1", True),
        ("::", True),
        ("fe80::1%eth0", False),
        ("192.0.2.256", False),
        ("192.0.2.1/24", False),
        ("192.0.2.01", False),
        ("192.0.2", False),
        (" 192.0.2.1", False),
        ("192.0.2.1\n", False),
        ("١٩٢.0.2.1", False),
        ("www", False),
        ("", False),
    ],
)
def test_what_is_an_address(text: str, address: bool) -> None:
    assert is_ip(text) is address
