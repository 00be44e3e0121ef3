"""How values are written and shown."""

import re
from http.client import HTTPConnection
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from multiall_cli.planning.checks import CHECKS, Measure, Worse, read, shown


@pytest.mark.parametrize(
    ("measure", "text", "value"),
    [
        (Measure.FLAG, "true", True),
        (Measure.FLAG, "False", False),
        (Measure.TEXT, " as it is ", " as it is "),
        (Measure.MODE, "644", "0644"),
        (Measure.MODE, "0644", "0644"),
        (Measure.COUNT, "12", 12),
        (Measure.NUMBER, "1.5", 1.5),
        (Measure.SHARE, "80%", 0.8),
        (Measure.SHARE, "0.5 %", 0.005),
        (Measure.BYTES, "500MB", 5e8),
        (Measure.BYTES, "2 GiB", 2.0 * 2**30),
        (Measure.BYTES, "7", 7.0),
        (Measure.SECONDS, "500ms", 0.5),
        (Measure.SECONDS, "30d", 30 * 86400.0),
        (Measure.PATTERN, "^a+$", "^a+$"),
        (Measure.PORT, "65535", 65535),
        (Measure.PROTOCOL, "udp", "udp"),
        (Measure.RECORDS, "srv", "srv"),
        (Measure.URL, "http://web1", "http://web1"),
        (Measure.URL, "https://[2001:db8::1]:8443/a?b=c", "https://[2001:db8::1]:8443/a?b=c"),
        (Measure.URL, "http://[fe80::1%eth0]/", "http://[fe80::1%eth0]/"),
        (Measure.URL, "http://web_1.example.net.:80/?x=/y", "http://web_1.example.net.:80/?x=/y"),
        (Measure.URL, "http://web1/a@b:c\\%C3%A9", "http://web1/a@b:c\\%C3%A9"),
    ],
)
def test_what_a_text_means(measure: Measure, text: str, value: object) -> None:
    assert read(measure, text) == pytest.approx(value) if isinstance(value, float) else read(measure, text) == value


@pytest.mark.parametrize(
    ("measure", "text"),
    [
        (Measure.FLAG, "yes"), (Measure.MODE, "888"), (Measure.MODE, "64"), (Measure.COUNT, "-1"),
        (Measure.COUNT, "1.5"),
        (Measure.NUMBER, "1%"), (Measure.SHARE, "80"), (Measure.SHARE, "0.8"), (Measure.BYTES, "2 furlongs"),
        (Measure.BYTES, "nan"), (Measure.SECONDS, "5"), (Measure.SECONDS, "5 M"), (Measure.PATTERN, "(a"),
        (Measure.PATTERN, "a{99999999999}"), (Measure.WORDS, "a"), (Measure.COUNT, "9" * 400),
        (Measure.PORT, "0"), (Measure.PORT, "65536"), (Measure.PORT, "http"), (Measure.PROTOCOL, "sctp"),
        (Measure.RECORDS, "AXFR"), (Measure.URL, "ftp://web1/"), (Measure.URL, "https://web1:99999/"),
        (Measure.URL, "https://web1:0"), (Measure.URL, "web1/health"), (Measure.URL, "http://a b/"),
        (Measure.URL, "http://[::1/"), (Measure.URL, "http://:80/"), (Measure.URL, "http://?x"),
        (Measure.URL, "http://web1?x=1"), (Measure.URL, "http://web1:80?x=1"), (Measure.URL, "http://web1#a"),
        (Measure.URL, "http://web1/#a"), (Measure.URL, "http://user:word@web1/"), (Measure.URL, "http://@web1/"),
        (Measure.URL, "http://web1/\u00e9"), (Measure.URL, "http://\u2603.example/"),
        (Measure.URL, "http://web1\\x/"), (Measure.URL, "http://web1:\u0663/"), (Measure.URL, "http://web1/\x7f"),
        (Measure.URL, "http://web1..example/"), (Measure.URL, f"http://{'a' * 64}/"), (Measure.URL, "http://[a]/"),
        (Measure.URL, "http://web1/\n"), (Measure.URL, "http://web1\n"),
    ],
)  # fmt: skip
def test_what_means_nothing(measure: Measure, text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  (its words are the caller's)
        read(measure, text)


@given(st.sampled_from(Measure), st.text())
def test_no_text_at_all_is_a_surprise(measure: Measure, text: str) -> None:
    try:
        read(measure, text)
    except ValueError:
        return


@given(st.from_regex(r"https?://[!-~]{1,20}", fullmatch=True) | st.text().map("http://web1/".__add__))
def test_what_a_url_may_be_is_what_is_asked(url: str) -> None:
    """By the gauge: of the very place, and the very path."""
    try:
        read(Measure.URL, url)
    except ValueError:
        return
    place, path = re.fullmatch(r"https?://([^/]+)(/.*)?", url).groups()  # type: ignore[union-attr]
    made, asked = HTTPConnection(place), urlsplit(url)
    made.putrequest("GET", path or "/")  # it is sent later
    assert (made.host.lower(), made.port) == (asked.hostname, asked.port or 80)
    assert (path or "").partition("?")[::2] == (asked.path, asked.query)


@pytest.mark.parametrize(
    ("measure", "value", "words"),
    [
        (Measure.SHARE, 0.934, "93.4 %"),
        (Measure.BYTES, 3 * 2**30, "3 GiB"),
        (Measure.BYTES, 0, "0 B"),
        (Measure.BYTES, 1000, "1000 B"),
        (Measure.SECONDS, 2000 * 86400.0, "2000 d"),
        (Measure.SECONDS, 90.0, "1.5 min"),
        (Measure.SECONDS, 0.02, "20 ms"),
        (Measure.SECONDS, 0.0, "0 ms"),
        (Measure.FLAG, True, "true"),
        (Measure.WORDS, ("a", "b"), "a, b"),
        (Measure.WORDS, [], "none"),
        (Measure.NUMBER, 1.23456, "1.235"),
        (Measure.COUNT, 7, "7"),
        (Measure.TEXT, "x", "x"),
    ],
)
def test_what_people_read(measure: Measure, value: object, words: str) -> None:
    assert shown(measure, value) == words


@pytest.mark.parametrize("name", CHECKS)
def test_what_a_check_implies_is_one_of_its_values(name: str) -> None:
    """Limits of what grows worse, and a value of what does not."""
    check = CHECKS[name]
    assert set(check.implied) <= set(check.values)
    for value, wanted in check.implied.items():
        assert isinstance(wanted, tuple) is bool(check.values[value].worse), value
    assert not set(check.values) & {*check.subject, *check.optional}
    assert set(check.either) <= set(check.optional)
    assert all(check.values[flag].measure is Measure.FLAG for flag in check.asks.values())
    assert set(check.asks) <= set(check.optional)
    assert all(value.worse is Worse.NEITHER or value.measure is not Measure.TEXT for value in check.values.values())
