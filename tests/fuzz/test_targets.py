"""Target expressions: servers of the inventory or one refusal in words, however they are twisted."""

from hypothesis import example, given
from hypothesis import strategies as st

from multiall_cli.domain.errors import UsageError
from multiall_cli.planning.targets import fold, select
from multiall_cli.planning.targets.grammar import atoms
from multiall_cli.planning.targets.ranges import LIMIT, expand
from multiall_cli.planning.targets.selection import TargetWorld
from tests.fuzz.cases import cases
from tests.fuzz.documents import RANGES, SIGNS
from tests.fuzz.verdict import controls, within

SERVERS = ("web1", "web2", "web3", "web10", "rack1n1", "rack1n2", "db01", "db02", "a" * 60, "007")
WORLD = TargetWorld(
    SERVERS,
    {"web": SERVERS[:3], "db": SERVERS[6:8], "none": ()},
    {"web1": {"rack": "r1", "site": "fra"}, "db01": {"rack": "r2"}},
    {"web1": "up", "web2": "down"},
    {"failed": ("web3",), "deferred": ()},
)
words = st.sampled_from((
    *SERVERS, "@web", "@db", "@none", "@failed", "@deferred", "rack=r1", "rack=r9", "state=up", "state=x", "=", "x=",
    "web[1-3]", "web[1-10]", "db[01-02]", "rack[1-2]n[1-2]", "[1-3]", "web*", "*", "w?b1", "*1*", "**", "@", "we b",
    "[0-9]" * 30, "web[1,1,1]", "web[3-1]", "web[01-1]", "n[0-9/0]", "[", "]", "[]", "web[1", "-",
))  # fmt: skip
signs = st.sampled_from([", ", " & ", "!", "(", ")", ",", "&", " ", "& !", ", !", "((", "!!", ""])
grammatical = st.lists(st.tuples(signs, words), min_size=1, max_size=7).map(
    lambda parts: "".join(sign + word for sign, word in parts)
)
twisted = st.lists(st.sampled_from([*RANGES, *SIGNS, *SERVERS, "9" * 20]), max_size=6).map("".join)
expressions = st.one_of(grammatical, grammatical, twisted, st.text(max_size=30))


def _refused(fault: UsageError) -> None:
    words = str(fault)
    assert controls(words) == set()
    assert len(words) < 5000
    assert fault.todo


@cases(3000)
@given(expressions)
@example("[0-9]" * 4400)
@example("web[0-99999]")
@example("(" * 5000)
@example("!" * 5000 + "web1")
@example("web[1-" + "9" * 5000 + "]")
@example(",".join(["web1"] * 5000))
def test_an_expression_means_servers_or_is_refused(expression: str) -> None:
    """The servers are the inventory's, in its order, and the atoms alone mean no others than the world has."""
    try:
        chosen = select(expression, WORLD)
    except UsageError as fault:
        _refused(fault)
        return
    assert chosen
    assert list(chosen) == [name for name in SERVERS if name in set(chosen)]
    assert select(fold(chosen), WORLD) == chosen
    assert atoms(expression)


@cases(3700)
@given(
    st.lists(
        st.sampled_from(["web", "[1-3]", "[01-10]", "[0-9/2]", "[1,5-7]", ",", "n", "[", "]", "-", "[99-101]"])
        | st.text("[]-,/0123456789ab", max_size=8),
        max_size=5,
    ).map("".join)
)
@example("[9" * 2000)
def test_a_pattern_is_names_that_fold_back_or_is_refused(pattern: str) -> None:
    try:
        names = expand(pattern)
    except UsageError as fault:
        _refused(fault)
        return
    assert 0 < len(names) <= LIMIT
    assert len(set(names)) == len(names)
    if len(names) < 500:
        assert set(expand(fold(names))) == set(names)


@cases(5)
@given(st.sampled_from(["[0-99999]", "[0-9]", "x[1-999999999999999],", "*a", "a[0-999],"]), st.integers(1, 3000))
def test_no_expression_is_a_bomb(piece: str, times: int) -> None:
    """Megabytes for kilobytes at the most, and never minutes."""
    with within(64):
        try:
            select(piece * times, WORLD)
        except UsageError as fault:
            _refused(fault)
