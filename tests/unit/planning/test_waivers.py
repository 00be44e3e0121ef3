"""Exceptions, what most brothers have, and how pools stand."""

import pytest

from multiall_cli.domain.baseline import Code, FactValue, Rule, ServerHealth
from multiall_cli.domain.health import DAY, RuleState, Waiver
from multiall_cli.domain.inventory import Inventory, Pool, Server
from multiall_cli.domain.values import Amount
from multiall_cli.planning import waivers
from multiall_cli.planning.consensus import Consensus, majority
from multiall_cli.planning.durations import parse_timestamp
from multiall_cli.planning.pools import pool_health, pools_health
from multiall_cli.planning.thresholds import comparable


def waiver(rule: str = "disk", ends: float = 10.0, target: str = "web1") -> Waiver:
    return Waiver(rule, target, ends, "because", "ann")


def test_of_several_the_one_that_lasts_longest_counts() -> None:
    both = waivers.with_servers([waiver(ends=5.0), waiver("d*", 9.0)], lambda target: [target])
    assert waivers.waived("web1", ["disk", "load"], both)["disk"].ends == 9.0
    assert waivers.waived("web2", ["disk"], both) == {}
    assert waivers.waived("web1", ["load"], both) == {}


def test_what_is_over_holds_no_more() -> None:
    assert waivers.holding([waiver(ends=5.0), waiver(ends=9.0)], 5.0) == [waiver(ends=9.0)]


def test_an_end_is_announced_a_week_before() -> None:
    late, soon, sooner = (waiver(ends=days * DAY) for days in (9, 6, 3))
    assert waivers.ending_soon([late, soon, sooner], 0.0) == [sooner, soon]


def test_who_says_so_in_the_inventory() -> None:
    inventory = Inventory(
        {"web1": Server("web1", "web1", waivers=(waiver("own"),))},
        {"web": Pool("web", ("web1",), waivers=(waiver("shared"),))},
    )
    assert [each.rule for each in waivers.declared(inventory)] == ["shared", "own"]


def test_a_waiver_about_nothing_is_seen() -> None:
    assert waivers.unused(waiver("dsk"), {"web1": ["disk"]}, ["web1", "web2"])
    assert not waivers.unused(waiver("di*"), {"web1": ["disk"]}, ["web1"])


@pytest.mark.parametrize(
    ("values", "most"),
    [([], None), (["a"], "a"), (["a", "b"], None), (["a", "b", "a"], "a"), (["a", "a", "b", "b"], None)],
)
def test_most_is_more_than_half(values: list[str], most: str | None) -> None:
    assert majority(values) == most


SAME = Rule("conf", "file", {"path": "/etc/x"}, (), same=("sha256", "mode"))


def test_brothers_that_were_not_looked_at_are_as_they_were() -> None:
    readings = {
        "web1": {SAME.fact: FactValue({"sha256": "1", "mode": "0644"})},
        "web2": {SAME.fact: FactValue({"sha256": "2"})},
        "web4": {},
    }
    held = {
        "web3": {"conf": RuleState(Code.OK, 0.0, told='{"sha256": "\\"2\\""}', digest=SAME.digest)},
        "web5": {"conf": RuleState(Code.OK, 0.0, told="[]", digest=SAME.digest)},
        "web6": {},
    }
    group = tuple(f"web{at}" for at in range(1, 7))
    found = Consensus(readings, held).most([SAME, Rule("load", "load", {}, ())], group)
    assert found == {"conf": {"sha256": comparable("2")}}, "of one alone nothing follows"


def test_what_is_remembered_of_another_file_is_not_what_brothers_have() -> None:
    """A rule that now asks for something else: what it asked for before is known of those that were not looked at."""
    before = Rule("conf", "file", {"path": "/etc/y"}, (), same=("sha256", "mode"))
    held = {
        name: {"conf": RuleState(Code.OK, 0.0, told='{"sha256": "\\"2\\""}', digest=before.digest)} for name in "bc"
    }
    assert Consensus({}, held).most([before], ("a", "b", "c")) == {"conf": {"sha256": comparable("2")}}
    assert Consensus({}, held).most([SAME], ("a", "b", "c")) == {"conf": {}}


def test_no_agreement_is_told() -> None:
    readings = {f"web{at}": {SAME.fact: FactValue({"sha256": str(at)})} for at in (1, 2)}
    assert Consensus(readings, {}).most([SAME], ("web1", "web2")) == {"conf": {"sha256": None}}


def checked(**codes: Code) -> dict[str, ServerHealth]:
    return {name: ServerHealth(name, code, 0.0) for name, code in codes.items()}


POOL = Pool("web", ("a", "b", "c"))
QUORUM = Pool("web", ("a", "b", "c"), quorum=Amount(2))


@pytest.mark.parametrize(
    ("pool", "codes", "code", "working"),
    [
        (POOL, (Code.OK, Code.OK, Code.OK), Code.OK, 3),
        (POOL, (Code.OK, Code.WARN_LIMIT, Code.OK), Code.WARN_LIMIT, 3),
        (POOL, (Code.OK, Code.TIMEOUT, Code.MISSING), Code.MISSING, 1),
        (QUORUM, (Code.OK, Code.MISSING, Code.EXEMPT), Code.WARN_LIMIT, 2),
        (QUORUM, (Code.OK, Code.UNREACHABLE, Code.OK), Code.WARN_LIMIT, 2),
        (QUORUM, (Code.OK, Code.OK, Code.OK), Code.OK, 3),
        (QUORUM, (Code.OK, Code.MAINTENANCE, Code.MISSING), Code.CRIT_LIMIT, 1),
        (QUORUM, (Code.STALE, Code.STALE, Code.STALE), Code.STALE, 0),
        (QUORUM, (Code.MISSING, Code.OK, Code.UNREACHABLE), Code.UNREACHABLE, 1),
        (QUORUM, (Code.MISSING, Code.MISSING, Code.UNREACHABLE), Code.CRIT_LIMIT, 0),
    ],
)
def test_how_a_pool_stands(pool: Pool, codes: tuple[Code, ...], code: Code, working: int) -> None:
    found = pool_health(pool, checked(**dict(zip("abc", codes, strict=True))))
    assert (found.code, found.working) == (code, working)


def test_a_pool_of_which_some_are_not_known_is_left_out() -> None:
    assert pools_health([POOL], checked(a=Code.OK)) == ()


@pytest.mark.parametrize("text", ["2026-12-31", "2026-12-31T10:00", "soon", "", "2026-02-30T10:00Z"])
def test_a_moment_without_a_zone_is_none(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  (its words are the caller's)
        parse_timestamp(text)


def test_a_moment_means_the_same_everywhere() -> None:
    assert parse_timestamp("2026-12-31T18:00+01:00") == parse_timestamp("2026-12-31T17:00Z")
