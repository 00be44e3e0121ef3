"""Marks: what is written can be read again, and nothing else can."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from multiall_cli.domain.records import MANAGED
from multiall_cli.planning.zones.ownership import OwnershipRecord, digest, marked, marker_name, read

_words = st.from_regex(r"[A-Za-z0-9_.-]{1,40}", fullmatch=True)
_digests = st.lists(st.text(max_size=20), max_size=4).map(digest)
_markers = st.builds(OwnershipRecord, _words, _words | st.just(""), _digests, st.integers(0, 10**12 - 1))
GOOD = "multiall=1 owner=multiall pool=web hash=0123456789abcdef epoch=1764150000"


@given(_markers)
def test_a_mark_is_read_as_it_was_written(marker: OwnershipRecord) -> None:
    assert read(marker.text) == marker


def test_a_mark_is_as_documented() -> None:
    assert read(GOOD) == OwnershipRecord("multiall", "web", "0123456789abcdef", 1764150000)


def test_a_mark_that_a_rollback_wrote_names_no_pool() -> None:
    assert read(GOOD.replace("pool=web", "pool=")) == OwnershipRecord("multiall", "", "0123456789abcdef", 1764150000)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "v=spf1 -all",
        f"{GOOD} ",
        f" {GOOD}",
        f"{GOOD}\n",
        f"{GOOD}\nmultiall=1",
        f'{GOOD}" "more',
        f'"{GOOD}"',
        GOOD.upper(),
        GOOD.replace("multiall=1", "multiall=2"),
        GOOD.replace("owner=multiall", "owner="),
        GOOD.replace("owner=multiall", "owner=a b"),
        GOOD.replace("owner=multiall", "owner=ünser"),
        GOOD.replace("hash=0123456789abcdef", "hash=0123456789ABCDEF"),
        GOOD.replace("hash=0123456789abcdef", "hash=0123"),
        GOOD.replace("epoch=1764150000", "epoch=-1"),
        GOOD.replace("epoch=1764150000", "epoch=1764150000.5"),
        GOOD.replace("epoch=1764150000", "epoch=" + "9" * 13),
        GOOD.replace("epoch=1764150000", "epoch=١٢"),
        GOOD.replace(" ", "\t"),
        GOOD.replace(" epoch=1764150000", ""),
        "owner=multiall multiall=1 pool=web hash=0123456789abcdef epoch=1",
        "\\" + GOOD,
        GOOD.replace("pool=web", "pool=web\\032x"),
        "multiall=1 " * 1000,
    ],
)
def test_other_texts_are_no_marks(text: str) -> None:
    assert read(text) is None


@given(st.text(max_size=120) | st.text(alphabet='multia=1 ownerpolhsc_.-0123456789\n"\\;', max_size=120))
def test_no_text_breaks_the_reader(text: str) -> None:
    found = read(text)
    assert found is None or found.text.split("epoch=")[0] == text.split("epoch=")[0]


@given(st.lists(st.text(max_size=20), max_size=5), st.randoms())
def test_the_hash_has_no_order(values: list[str], luck: object) -> None:
    mixed = list(values)
    luck.shuffle(mixed)  # type: ignore[attr-defined]
    assert digest(mixed) == digest(values)


def test_the_hash_tells_records_apart() -> None:
    assert len({digest(each) for each in ([], [""], ["a"], ["b"], ["a", "b"], ["a", "a"], ["ab"])}) == 6  # [] is [""]


@pytest.mark.parametrize("kind", MANAGED)
@pytest.mark.parametrize("name", ["www.example.net.", "*.example.net.", "example.net.", "_https._tcp.www.example.net."])
def test_the_name_of_a_mark_leads_back_to_what_it_is_about(name: str, kind: str) -> None:
    assert marked(marker_name((name, kind))) == (name, kind)


@pytest.mark.parametrize(
    "name",
    [
        "www.example.net.",
        "_multiall.example.net.",
        "_multiall-.example.net.",
        "_multiall-a",
        "_multiall-a.",
        "_multiall-A.example.net.",
        "x._multiall-a.example.net.",
        "_multiall-a b.example.net.",
        "",
    ],
)
def test_other_names_are_no_names_of_marks(name: str) -> None:
    assert marked(name) is None


@pytest.mark.parametrize("kind", ["soa", "ns", "dnskey", "txt", "mx", "ds", "any"])
def test_a_mark_beside_what_is_never_written_is_no_mark(kind: str) -> None:
    """Else a forged one would let us take out a zone's own NS records."""
    assert marked(f"_multiall-{kind}.example.net.") is None
