"""What packs, pools and waivers say of each other: conflicts, oddities, and rules that are tried on examples."""

from dataclasses import replace

import pytest

from multiall_cli.domain.baseline import Rule
from multiall_cli.domain.errors import Origin
from multiall_cli.domain.health import DAY, Waiver
from multiall_cli.domain.inventory import Inventory, Pool, Server
from multiall_cli.domain.rule_source import Example, Saying, SourcedValue
from multiall_cli.planning.lint import found_odd
from multiall_cli.planning.rule_tests import trials
from multiall_cli.planning.rules import RuleBook, build, conflicts

NOW = 100.0


def saying(line: int, **words: str | tuple[str, ...]) -> Saying:
    return {
        key.rstrip("_"): SourcedValue(value, Origin("f", line, at)) for at, (key, value) in enumerate(words.items(), 1)
    }


LOAD = {"load": saying(1, check="load", five="4")}


def pools(first: Saying, second: Saying, **more: int) -> dict[str, Pool]:
    return {
        "a": Pool("a", ("s",), rules={"load": first}, **more),
        "b": Pool("b", ("s",), rules={"load": second}),
    }


def test_equal_weight_and_different_words_are_a_conflict() -> None:
    one, other = saying(1, check="load", five="4"), saying(2, check="load", five="8")
    found = conflicts(Inventory({"s": Server("s", "s")}, pools(one, other)), {})
    assert found == {(Origin("f", 1, 2), Origin("f", 2, 2)): "'five' of the rule load for s"}


@pytest.mark.parametrize(
    ("server", "second", "priority"),
    [
        (Server("s", "s"), saying(2, check="load", five="4"), 0),
        (Server("s", "s"), saying(2, check="load", five="8"), 1),
        (Server("s", "s", rules={"load": saying(3, five="1")}), saying(2, check="load", five="8"), 0),
        (Server("s", "s", without=("load",)), saying(2, check="load", five="8"), 0),
    ],
)
def test_what_is_decided_is_none(server: Server, second: Saying, priority: int) -> None:
    """By equal words, by priority, or by the server itself."""
    both = pools(saying(1, check="load", five="4"), second, priority=priority)
    assert conflicts(Inventory({"s": server}, both), {}) == {}


def test_servers_of_the_same_pools_share_their_rules() -> None:
    servers = {name: Server(name, name) for name in ("s", "t")} | {"u": Server("u", "u", without=("load",))}
    book = RuleBook(Inventory(servers, {"a": Pool("a", tuple(servers), rules=LOAD)}), {}, lambda *_: None)
    assert book.of("s") is book.of("t")
    assert book.of("u") == ()


def test_whoever_asks_for_rules_again_is_given_the_same() -> None:
    """Also those of a server that says something of its own."""
    server = Server("s", "s", rules=LOAD)
    book = RuleBook(Inventory({"s": server}, {}), {}, lambda *_: None)
    assert len(book.of("s")) == 1
    assert book.of("s") is book.of("s")


def odd(rules: dict[str, Saying], *waivers: Waiver, **pool: object) -> list[str]:
    server = Server("s", "s", waivers=tuple(each for each in waivers if not each.number))
    inventory = Inventory({"s": server}, {"a": Pool("a", ("s",), rules=rules, **pool)})  # type: ignore[arg-type]
    return [each.what for each in found_odd(inventory, {}, [each for each in waivers if each.number], NOW, 90 * DAY)]


def test_nothing_is_odd_about_good_rules() -> None:
    good = saying(1, check="disk", path="/", used=("80%", "90%"), clear="75%", for_="5m", remedy=("restart", "x"))
    assert odd({"disk": good}, Waiver("di*", "s", 200.0, "x", "ann", number=1)) == []


@pytest.mark.parametrize(
    ("rule", "what"),
    [
        (saying(1, check="load", five="4", needs=("gone",)), "the rule r needs gone, which no server has"),
        (saying(1, check="disk", path="/", used="80%", clear="85%"), "'clear' lies beyond the limit that warns"),
        (
            saying(1, check="memory", available=("10%", "5%"), clear="8%"),
            "'clear' lies beyond the limit that warns",
        ),
        (
            saying(1, check="load", five="4", remedy=("restart", "x")),
            "the rule r has a remedy, and one bad look calls for it",
        ),
    ],
)
def test_odd_rules(rule: Saying, what: str) -> None:
    assert odd({"r": rule}) == [what]


def test_what_is_about_nothing_is_odd() -> None:
    assert odd(LOAD, without=("laod",)) == ["the pool a leaves out laod, which it would not have"]
    over = Waiver("load", "s", 1.0, "x", "ann", origin=Origin("f", 1, 1))
    empty = Waiver("disk", "s", 200.0, "x", "ann", origin=Origin("f", 2, 1))
    kept = Waiver("swap", "s", 200.0, "x", "ann", number=7)
    assert odd(LOAD, over, empty, kept) == [
        "the waiver of swap on s is about no rule",
        "the exception for load is over",
        "the waiver of disk on s is about no rule",
    ]


def test_an_exception_that_holds_for_longer_than_is_allowed_is_odd() -> None:
    most = Waiver("load", "s", NOW + 90 * DAY, "x", "ann", origin=Origin("f", 1, 1))
    longer = replace(most, ends=NOW + 400 * DAY)
    assert odd(LOAD, most) == []
    assert odd(LOAD, longer) == ["the exception for load holds for 400 days more, and 90 days are allowed"]


def made(said: Saying) -> Rule:
    rule = build("r", said, lambda origin, what, todo: pytest.fail(f"{origin} {what}"))
    assert rule is not None
    return rule


TLS = made(saying(1, check="certificate", path="/x"))


@pytest.mark.parametrize(
    ("rule", "good", "bad", "as_wanted"),
    [
        (made(saying(1, check="load", five=("4", "8"))), saying(1, five="1"), saying(1, five="9"), [True, True]),
        (made(saying(1, check="load", five=("4", "8"))), saying(1, five="5"), saying(1, five="1"), [False, False]),
        (TLS, saying(1, present="true", left="60d"), saying(1, left="-3d"), [True, True]),
        (TLS, saying(1, present="true", left="60d"), saying(1, present="false"), [True, True]),
        (TLS, saying(1, left="60d"), saying(1, left="1d"), [True, True]),  # what a check implies goes without saying
        (TLS, saying(1, started="true"), saying(1, started="false"), [False, True]),
        (
            made(saying(1, check="user", name="x", groups=("a",))),
            saying(1, present="true", groups=("a", "b")),
            saying(1, groups="b"),
            [True, True],
        ),
    ],
)
def test_a_rule_on_its_examples(rule: Rule, good: Saying, bad: Saying, as_wanted: list[bool]) -> None:
    found = list(trials("own", {"r": rule}, {"r": Example(good, (bad,))}))
    assert [each.as_wanted for each in found] == as_wanted
    assert {each.fault for each in found} == {""}


@pytest.mark.parametrize(
    ("said", "fault"),
    [
        (saying(1, five="much"), "'five' cannot be 'much'; write a number"),
        (saying(1, five=("1", "2")), "'five' cannot be ('1', '2'); write a number"),
        (saying(1, five="-much"), "'five' cannot be '-much'; write a number"),
        (saying(1, six="1"), "'six' cannot be '1'; it shows one, five, fifteen"),
    ],
)
def test_an_example_that_cannot_be(said: Saying, fault: str) -> None:
    rule = made(saying(1, check="load", five="4"))
    (found,) = trials("own", {"r": rule}, {"r": Example(said, ())})
    assert (found.fault, found.as_wanted) == (fault, False)


def test_examples_and_rules_go_together() -> None:
    rule = made(saying(1, check="load", five="4"))
    found = list(trials("own", {"load": rule}, {"laod": Example({}, ())}))
    assert [each.fault for each in found] == [
        "it has no example under `tests:`",
        "there is no such rule; did you mean load?",
    ]
