"""From what files say to the rules of one server: layers, limits, and every fault with its place."""

from collections.abc import Mapping

import pytest

from multiall_cli.domain.baseline import Expectation, Rule
from multiall_cli.domain.errors import Origin
from multiall_cli.domain.inventory import Inventory, Pool, Server
from multiall_cli.domain.rule_source import Saying, SourcedValue
from multiall_cli.planning.rules import build, is_id, rules_of

Told = list[tuple[int, str, str]]


def saying(line: int = 1, **said: str | tuple[str, ...]) -> Saying:
    return {
        key.rstrip("_"): SourcedValue(value, Origin("rules/x.yaml", line, column))
        for column, (key, value) in enumerate(said.items(), 1)
    }


def made(**said: str | tuple[str, ...]) -> tuple[Rule | None, Told]:
    told: Told = []
    rule = build("r", saying(**said), lambda origin, what, todo: told.append((origin.column, what, todo)))
    return rule, told


def good(**said: str | tuple[str, ...]) -> Rule:
    rule, told = made(**said)
    assert told == []
    assert rule is not None
    return rule


def test_limits_and_values() -> None:
    rule = good(check="disk", path="/", used=("80%", "90%"), severity="warning", for_="5m", clear="75%")
    assert (rule.subject, rule.most, rule.lasting, rule.clear) == ({"path": "/"}, 3, 300.0, 0.75)
    assert rule.expects == (Expectation("present", True), Expectation("used", warning=0.8, critical=0.9))


def test_a_number_may_have_to_be_within_a_range() -> None:
    assert good(check="files", path="/x", count="2..8").expects == (Expectation("count", ranges=(None, (2.0, 8.0))),)
    both = good(check="files", path="/x", age=("1h..", "1m..2d"))
    assert both.expects == (Expectation("age", ranges=((3600.0, None), (60.0, 172800.0))),)
    for warning, critical in (("1..3", "0..8"), ("2..8", "2..8"), ("3..", "2.."), ("..3", "..8"), ("3..4", "2..")):
        assert good(check="files", path="/x", count=(warning, critical)).expects


@pytest.mark.parametrize(
    "value", [("0..8", "1..3"), ("1..3", "2..8"), ("4..9", "2..8"), ("1..", "2.."), ("..1", "2..8"), ("9..", "..8")]
)
def test_a_range_that_is_left_after_the_critical_one_is_told(value: tuple[str, str]) -> None:
    rule, told = made(check="files", path="/x", count=value)
    todo = "write first the range that lies within the other"
    assert (rule, told) == (None, [(3, "'count' is critical before it warns", todo)])


@pytest.mark.parametrize(
    ("value", "what"),
    [
        ("8..2", "'count' is '8..2', which nothing is within"),
        ("..", "'count' is '..'"),
        (("1..", "2..", "3.."), "'count' has 3 ranges"),
        (("1..2", "3"), "'count' is '3'"),
        ("a..2", "'count' is 'a'"),
    ],
)
def test_a_range_that_cannot_be(value: str | tuple[str, ...], what: str) -> None:
    rule, told = made(check="files", path="/x", count=value)
    assert rule is None
    assert what in [each[1] for each in told]


def test_one_limit_is_the_critical_one() -> None:
    assert good(check="zombies", count="20").expects == (Expectation("count", critical=20.0),)


def test_what_is_not_to_be_there_is_asked_for_nothing_else() -> None:
    assert good(check="service", name="telnet", present="false").expects == (Expectation("present", False),)


def test_a_pattern_is_to_be_found() -> None:
    rule = good(check="file", path="/etc/x", match="^a")
    assert rule.subject == {"path": "/etc/x", "match": "^a"}
    assert Expectation("matches", True) in rule.expects
    assert good(check="file", path="/etc/x", sha256="ab").subject["sha256"] is True


def test_what_is_dear_is_read_where_a_rule_asks_for_it() -> None:
    dear = good(check="certificate", address="x", trusted="true")
    assert dear.subject == {"address": "x", "trusted": True}
    assert Expectation("trusted", True) in dear.expects
    assert "trusted" not in good(check="certificate", address="x").subject


def test_an_argument_may_ask_for_a_flag() -> None:
    assert Expectation("recent", True) in good(check="package", name="x", at_least="1.2").expects
    assert Expectation("recent", False) in good(check="package", name="x", at_least="1.2", recent="false").expects


def test_nothing_can_be_wanted_to_be_printed() -> None:
    assert Expectation("output", "") in good(check="command", argv=("a",), output="").expects


def test_a_typo_in_the_key_of_the_check_is_told() -> None:
    rule, told = made(chekc="load", five="4")
    assert rule is None
    assert told == [(1, "the rule r names no check", "did you mean check? `multiall baseline checks` shows all")]


def test_a_typo_in_the_name_of_a_rule_that_a_pack_has_is_told() -> None:
    told: list[tuple[str, str]] = []
    packs = {"disk.root": saying(check="disk", path="/", used="90%"), "disk.rot": saying(used="80%")}
    build("disk.rot", packs["disk.rot"], lambda origin, what, todo: told.append((what, todo)), packs)
    ((what, todo),) = told
    assert what == "the rule disk.rot names no check, and no pack has it"
    assert todo == "did you mean disk.root? `multiall baseline rules` shows those that there are"


def test_one_of_several_subjects_is_enough() -> None:
    assert good(check="process", command="^/usr/sbin/x").subject == {"command": "^/usr/sbin/x"}
    assert good(check="process", name="x", user="root").subject == {"name": "x", "user": "root"}


def test_one_subject_is_one_fact() -> None:
    one, other = good(check="disk", path="/", used="90%"), good(check="disk", path="/", inodes="90%")
    assert one.fact == other.fact != good(check="disk", path="/var", used="90%").fact


@pytest.mark.parametrize(
    ("said", "column", "what", "todo"),
    [
        ({"check": "dsk", "path": "/"}, 1, "there is no check 'dsk'", "did you mean disk?"),
        ({"path": "/"}, 1, "the rule r names no check", "`multiall baseline checks` shows all"),
        ({"check": "disk", "path": "/", "usd": "90%"}, 3, "the check disk knows no 'usd'", "did you mean used?"),
        ({"check": "disk", "used": "90%"}, 1, "the rule r names no 'path'", "write text"),
        ({"check": "disk", "path": "/", "used": "90"}, 3, "'used' is '90'", "write a share such as 90%"),
        (
            {"check": "disk", "path": "/", "used": ("90%", "80%")},
            3,
            "'used' is critical before it warns",
            "first the lower",
        ),
        (
            {"check": "memory", "available": ("5%", "10%")},
            2,
            "'available' is critical before it warns",
            "first the higher",
        ),
        (
            {"check": "disk", "path": "/", "used": ("1%", "2%", "3%")},
            3,
            "'used' has 3 limits",
            "write [warning, critical]",
        ),
        ({"check": "file", "path": "/x", "mode": ("1", "2")}, 3, "'mode' is '[1, 2]'", "write an octal mode"),
        ({"check": "file", "path": "/x", "match": "(a"}, 3, "'match' is '(a'", "write a regular expression"),
        ({"check": "zombies", "count": "1", "severity": "bad"}, 3, "'severity' is 'bad'", "write warning or critical"),
        ({"check": "zombies", "count": "1", "for": "soon"}, 3, "'for' is 'soon'", "write a time"),
        ({"check": "file", "path": "/x", "clear": "1"}, 3, "'clear' is the limit of one value", "exactly one value"),
        ({"check": "load"}, 1, "the rule r asks for nothing", "write one of one, five, fifteen"),
        ({"check": "certificate"}, 1, "the rule r names no subject", "write path or address"),
        ({"check": "process", "user": "root"}, 1, "the rule r names no subject", "write name or command"),
    ],
)
def test_faults_have_their_place(said: Mapping[str, str | tuple[str, ...]], column: int, what: str, todo: str) -> None:
    rule, told = made(**said)
    assert rule is None
    assert [(each[0], each[1]) for each in told][:1] == [(column, what)]
    assert todo in told[0][2]


PACKS = {"linux": {"disk": saying(check="disk", path="/", used=("80%", "90%")), "load": saying(check="load", five="4")}}


def site(*pools: Pool, **server: object) -> Inventory:
    servers = {"web1": Server("web1", "web1", **server)}  # type: ignore[arg-type]
    return Inventory(servers, {pool.name: pool for pool in pools})


def rules(inventory: Inventory, packs: Mapping[str, Mapping[str, Saying]] = PACKS) -> dict[str, Rule]:
    told: Told = []
    found = rules_of(inventory, packs, "web1", lambda origin, what, todo: told.append((origin.column, what, todo)))
    assert told == []
    return {rule.id: rule for rule in found}


def test_the_most_specific_word_wins() -> None:
    """A pack's, then a pool's, then the server's own; the rest stays."""
    web = Pool("web", ("web1",), baseline=("linux",), rules={"disk": saying(2, used="70%")})
    assert rules(site(web))["disk"].expects[-1] == Expectation("used", critical=0.7)
    own = rules(site(web, rules={"disk": saying(3, used="60%")}))
    assert own["disk"].expects[-1] == Expectation("used", critical=0.6)
    assert own["disk"].where["used"].line == 3
    assert own["disk"].where["path"].line == 1


def test_of_two_pools_the_one_with_the_higher_priority_has_the_last_word() -> None:
    low = Pool("low", ("web1",), priority=1, baseline=("linux",), rules={"disk": saying(used="70%")})
    high = Pool("high", ("web1",), priority=2, rules={"disk": saying(used="50%")})
    for pools in ((low, high), (high, low)):
        assert rules(site(*pools))["disk"].expects[-1] == Expectation("used", critical=0.5)


def test_rules_that_a_pool_or_a_server_does_not_have() -> None:
    web = Pool("web", ("web1",), baseline=("linux", "missing"), without=("load",))
    assert set(rules(site(web))) == {"disk"}
    assert set(rules(site(web, without=("disk",)))) == set()


def test_what_others_need_is_judged_first() -> None:
    packs = {"p": {"b": saying(check="load", five="4", needs=("a", "gone")), "a": saying(check="zombies", count="1")}}
    found = rules(site(Pool("web", ("web1",), baseline=("p",))), packs)
    assert list(found) == ["a", "b"]


def test_needs_that_lead_in_a_circle_are_told() -> None:
    packs = {"p": {"a": saying(check="load", five="4", needs="b"), "b": saying(check="zombies", count="1", needs="a")}}
    told: Told = []
    inventory = site(Pool("web", ("web1",), baseline=("p",)))
    rules_of(inventory, packs, "web1", lambda origin, what, todo: told.append((origin.column, what, todo)))
    assert [each[1] for each in told] == ["the rule a needs itself: a → b → a"]


def test_names_of_rules() -> None:
    assert is_id("disk.root-1")
    assert not is_id("")
    assert not is_id("-x")
    assert not is_id("a b")
