"""Names beyond ASCII, by IDNA 2008."""

import pytest

from multiall_cli.planning.idn import to_ascii
from multiall_cli.planning.measures import Measure, read
from multiall_cli.planning.value_comparison import covers, same_record
from multiall_cli.planning.zones.names import absolute, fault_of


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("straße.example.net", "xn--strae-oqa.example.net"),
        ("STRAẞE.example.net", "xn--strae-oqa.example.net"),
        ("βόλος.example", "xn--nxasmm1c.example"),  # the final sigma is a letter of its own too
        ("bücher.example.", "xn--bcher-kva.example."),
        ("_https._tcp.bücher.example", "_https._tcp.xn--bcher-kva.example"),
        ("*.bücher.example", "*.xn--bcher-kva.example"),
        ("Plain.Example", "Plain.Example"),
        ("", ""),
    ],
)
def test_a_name_as_the_dns_has_it(name: str, found: str) -> None:
    assert to_ascii(name) == found


@pytest.mark.parametrize("name", ["\u212aube", "ü" * 64, "a\u200bü", "☃.example", "ü\udcff", "-ü", "a。ü"])
def test_what_is_no_name_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        to_ascii(name)


def test_names_of_pools_and_zones_are_a_labels() -> None:
    assert absolute("straße", "example.net.") == "xn--strae-oqa.example.net."
    assert absolute("www.STRASSE.example.", ".") == "www.strasse.example."
    assert absolute("www.straße.example", "xn--strae-oqa.example.") == "www.xn--strae-oqa.example."
    assert fault_of(absolute("straße", "example.net.")) == ""
    assert fault_of(absolute("☃", "example.net.")).startswith("has letters beyond ASCII, and no spelling in the DNS")


@pytest.mark.parametrize(
    ("measure", "text", "found"),
    [
        (Measure.HOST, "straße.example.net", "xn--strae-oqa.example.net"),
        (Measure.HOST, "fe80::1%eth0", "fe80::1%eth0"),
        (Measure.URL, "https://straße.example.net:8443/a?b", "https://xn--strae-oqa.example.net:8443/a?b"),
        (Measure.URL, "http://bücher:80/", "http://xn--bcher-kva:80/"),
        (Measure.URL, "http://192.0.2.1/", "http://192.0.2.1/"),
    ],
)
def test_what_a_check_asks_for_goes_to_members_as_a_labels(measure: Measure, text: str, found: str) -> None:
    assert read(measure, text) == found


@pytest.mark.parametrize(
    ("measure", "text"), [(Measure.HOST, "☃"), (Measure.URL, "https://☃/"), (Measure.URL, "https://a.example/ü")]
)
def test_what_cannot_be_asked_is_refused(measure: Measure, text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  (its words are the caller's)
        read(measure, text)


def test_what_a_check_wants_is_compared_as_the_dns_has_it() -> None:
    assert covers({}, "straße.example", "xn--strae-oqa.example")
    assert not covers({}, "straße.example", "strasse.example")
    assert same_record({"type": "CNAME"}, "straße.example", "xn--strae-oqa.example.")
    assert same_record({"type": "MX"}, "10 bücher.example", "10 XN--BCHER-KVA.example.")
