"""Ranges of names, with ClusterShell's NodeSet as the oracle."""

import random

import pytest
from ClusterShell.NodeSet import NodeSet, NodeSetException
from hypothesis import given
from hypothesis import strategies as st

from multiall_cli.domain.errors import UsageError
from multiall_cli.planning.targets import LIMIT, expand, fold, is_name

EXPANSIONS = {
    "web1": ["web1"],
    "web[1-3]": ["web1", "web2", "web3"],
    "web[08-11]": ["web08", "web09", "web10", "web11"],
    "rack[1-2]n[1-2]": ["rack1n1", "rack1n2", "rack2n1", "rack2n2"],
    "n[0-9/4]": ["n0", "n4", "n8"],
    "n[1,3,5-7]": ["n1", "n3", "n5", "n6", "n7"],
    "n[ 1, 3 ]": ["n1", "n3"],
    "n[7,1,7]": ["n7", "n1"],
    "n[1-3]0": ["n10", "n20", "n30"],
    "a,b,web[1-2]": ["a", "b", "web1", "web2"],
    "a[1-2][3-4]": ["a13", "a14", "a23", "a24"],
    "192.0.2.[9-10]": ["192.0.2.9", "192.0.2.10"],
    "n[0]": ["n0"],
}
WRONG = {
    "": "is empty",
    "n[1": "bracket",
    "n1]": "bracket",
    "n[[1]]": "bracket",
    "n[]": "the range ''",
    "n[a-b]": "the range 'a-b'",
    "n[1-]": "the range '1-'",
    "n[-1]": "the range '-1'",
    "n[1-2-3]": "the range",
    "n[1:3]": "the range",
    "n[3-1]": "counts down",
    "n[1-3/0]": "counts down or never",
    "n[01-3]": "unequal padding",
    "n[1-03]": "unequal padding",
    "n[1/2]": "the range",
    "n[٣-٤]": "the range",  # digits, but not ASCII's
    "a,,b": "comma",
    ",a[1-2]": "comma",
    "n[1-100001]": "100,001 names",
    "n[1-1000]x[1-101]": "101,000 names",
    "n[1-60000],m[1-60000]": "120,000 names",
    "n[1-60000,70000-120000]": "names",
    "[0-9]" * 5000: "at least",
    "n[0-99999]" * 1000: "at least",
    "n" * 2000 + "[0-99999]": "names of 2,005 letters",
    "n[0-999999999999999]": "limit",
    "n[1-" + "9" * 5000 + "]": "the range",
}


@pytest.mark.parametrize(("pattern", "names"), EXPANSIONS.items())
def test_a_pattern_stands_for_its_names(pattern, names):
    assert expand(pattern) == tuple(names)


@pytest.mark.parametrize("pattern", [pattern for pattern in EXPANSIONS if "][" not in pattern])
def test_nodeset_means_the_same(pattern):
    assert set(expand(pattern)) == set(NodeSet(pattern.replace(" ", "")))


@pytest.mark.parametrize(("pattern", "reason"), WRONG.items())
def test_wrong_notation_is_told(pattern, reason):
    with pytest.raises(UsageError) as caught:
        expand(pattern)
    assert reason in caught.value.what
    assert caught.value.subject == "target"
    assert len(str(caught.value)) < 300


def test_the_limit_itself_is_allowed():
    assert len(expand(f"n[1-{LIMIT}]")) == LIMIT


FOLDS = {
    "": "",
    "b a": "a,b",
    "web1": "web1",
    "web2 web1 web3": "web[1-3]",
    "web1 web3 web4": "web[1,3-4]",
    "web9 web10 web11": "web[9-11]",
    "web09 web10 web11": "web[09-11]",
    "web1 web01 web10": "web[1,01,10]",
    "web99 web100 web099": "web[99,099-100]",
    "a1b1 a1b2 a2b1 a2b2": "a[1-2]b[1-2]",
    "a1b1 a2b2": "a1b1,a2b2",
    "a1b1 a1b2 a2b1 a2b2 a3b9": "a[1-2]b[1-2],a3b9",
    "web-01.example.com web-02.example.com": "web-[01-02].example.com",
    "id1234567890123456789": "id1234567890123456789",
}


@pytest.mark.parametrize(("names", "folded"), FOLDS.items())
def test_names_fold(names, folded):
    assert fold(names.split()) == folded


numbers = st.one_of(
    st.integers(0, 120).map(str), st.integers(0, 120).map("{:02d}".format), st.integers(0, 120).map("{:03d}".format)
)
one_number = st.builds("{}{}{}".format, st.sampled_from(["web", "db-"]), numbers, st.sampled_from(["", ".x"]))
two_numbers = st.builds("r{}n{}".format, st.integers(0, 4), st.integers(0, 4))


@given(st.sets(one_number, min_size=1, max_size=60))
def test_one_dimension_folds_as_nodeset_folds(names):
    assert fold(names) == str(NodeSet.fromlist(names))


@given(st.sets(st.one_of(one_number, two_numbers, st.from_regex(r"[a-z0-9]{1,20}", fullmatch=True)), max_size=60))
def test_folding_loses_nothing(names):
    assert set(expand(fold(names))) == names if names else fold(names) == ""


@given(st.integers(0, 999), st.integers(0, 999), st.integers(1, 20), st.integers(0, 4))
def test_ranges_with_padding_and_step_are_nodesets(first, length, step, width):
    written = f"n[{first:0{width}d}-{first + length:0{width}d}/{step}]"
    try:
        oracle = set(NodeSet(written))
    except Exception:  # noqa: BLE001 (whatever the oracle refuses, we refuse)
        with pytest.raises(UsageError):
            expand(written)
    else:
        assert set(expand(written)) == oracle


@pytest.mark.parametrize(
    "name",
    [
        "-oProxyCommand=x",
        "",
        ".",
        "..",
        "../x",
        "a/b",
        "a b",
        "a\n",
        "a\x1b[31m",
        "a;b",
        "a$b",
        "é",
        "a" * 254,
        "@a",
        "~",
    ],
)
def test_hostile_names_are_no_names(name):
    assert not is_name(name)


@pytest.mark.parametrize("name", ["web1", "1", "_x", "a.b-c_d", "A" * 253])
def test_plain_names_are_names(name):
    assert is_name(name)


@pytest.mark.parametrize(
    "pattern", ["prod-2[10-320]", "p2[8-12]", "p2[9,10]", "p0[8-12]", "p[1-3][8-12]", "a,p1[98-101]x"]
)
def test_a_range_that_is_another_set_in_clustershell(pattern: str) -> None:
    """Digits before a bracket are part of its numbers there: whoever knows one notation would reach other servers."""
    with pytest.raises(UsageError, match="which is another set in ClusterShell; write the whole number in brackets"):
        expand(pattern)


def test_digits_before_a_bracket_mean_the_same_or_are_refused() -> None:
    chosen = random.Random(5)
    for _ in range(250):
        first = chosen.choice((0, 1, 5, 8, 9, 10, 90, 99, 100, chosen.randrange(1200)))
        last = first + chosen.choice((0, 1, 2, 4, 15, 120))
        step = chosen.choice(("", "", "", "/2", "/10"))
        more = chosen.choice(("", "", f",{chosen.randrange(120)}"))
        tail = chosen.choice(("", "", "x", "0", "n[1-2]"))
        pattern = f"p{chosen.choice(('', '1', '20', '2n', 'x'))}[{first}-{last}{step}{more}]{tail}"
        try:
            theirs = set(NodeSet(pattern))
            ours = set(expand(pattern))
        except (NodeSetException, UsageError):
            continue
        assert ours == theirs, pattern
