"""What may be done about rules that fail, and when a rollout may go on."""

from dataclasses import replace

import pytest

from multiall_cli.domain.baseline import Code, Rule, ServerHealth, Status
from multiall_cli.domain.inventory import After, Gate
from multiall_cli.domain.remedy import Cooling, Remedied, Remedy
from multiall_cli.engine.gate import is_green, wait_until_healthy
from multiall_cli.planning.remedies import cooling, remedies
from tests.fixtures.contexts import context

RULES = [
    Rule("web", "service", {}, (), remedy=("restart", "nginx")),
    Rule("page", "http", {}, (), remedy=("restart", "nginx")),
    Rule("disk", "disk", {}, ()),
]


def checked(**codes: Code) -> ServerHealth:
    return ServerHealth("s", Code.OK, 1.0, tuple(Status("s", rule, code, shows="x") for rule, code in codes.items()))


@pytest.mark.parametrize(
    ("codes", "found"),
    [
        ({"web": Code.WRONG_STATE}, ["web"]),
        ({"web": Code.WARN_LIMIT}, ["web"]),
        ({"web": Code.WRONG_STATE, "page": Code.WRONG_STATE}, ["web"]),
        ({"disk": Code.CRIT_LIMIT}, []),
        ({"gone": Code.MISSING}, []),
        *(({"web": code}, []) for code in (Code.OK, Code.SOFT_FAIL, Code.EXEMPT, Code.SUPPRESSED, Code.TIMEOUT)),
    ],
)
def test_what_is_bad_for_certain_is_remedied_once(codes: dict[str, Code], found: list[str]) -> None:
    chosen = remedies([checked(**codes), ServerHealth("t", Code.UNREACHABLE, 0.0)], {"s": RULES})
    assert [each.rule for each in chosen] == found
    assert all(each.action == After("restart", ("nginx",)) for each in chosen)


def test_a_remedy_is_not_applied_again_too_soon() -> None:
    remedy = Remedy("s", "web", After("restart", ("nginx",)), Code.MISSING)
    assert cooling([remedy], {}, 100.0, 60.0) == ()
    assert cooling([remedy], {remedy: 80.0}, 100.0, 60.0) == (Cooling(remedy, 80.0, 140.0),)
    assert cooling([remedy], {remedy: 40.0}, 100.0, 60.0) == ()
    assert cooling([remedy], {remedy: 9999.0}, 100.0, 60.0) == (), "its clock was wrong"


def test_what_was_true_of_a_server_that_is_away_calls_for_nothing() -> None:
    assert remedies([replace(checked(web=Code.MISSING), trouble="it is away")], {"s": RULES}) == []


def test_a_remedy_helped_where_nothing_is_against_it() -> None:
    remedy = Remedy("s", "web", After("restart", ("nginx",)))
    assert Remedied("r", remedy, "", Code.REMEDIED).helped
    assert not Remedied("r", remedy, "exit 1").helped


@pytest.mark.parametrize(
    ("one", "green"),
    [
        (checked(web=Code.OK), True),
        (replace(checked(web=Code.WARN_LIMIT), code=Code.WARN_LIMIT), True),
        (checked(web=Code.SOFT_FAIL), False),
        (replace(checked(web=Code.MISSING), code=Code.MISSING), False),
        (ServerHealth("s", Code.MAINTENANCE, 1.0), False),
        (replace(checked(web=Code.OK), trouble="it is away"), False),
        (ServerHealth("s", Code.TIMEOUT, 1.0), False),
    ],
)
def test_green_is_what_was_looked_at_and_fails_nowhere(one: ServerHealth, green: bool) -> None:
    assert is_green(one) is green


class Hands:
    """A clock that only pauses move."""

    def __init__(self) -> None:
        self.at = 0.0

    def now(self) -> float:
        return self.at

    def monotonic(self) -> float:
        return self.at

    def pause(self, seconds: float) -> None:
        self.at += seconds


def gated(looks: list[Code], gate: Gate, *, stopped: bool = False) -> tuple[str, int, float]:
    """Why it stayed closed, how many looks it took, and how long."""
    hands, left = Hands(), list(looks)
    world = context(None, None, hands, pause=hands.pause, stop=lambda: stopped)

    def look() -> list[ServerHealth]:
        code = left.pop(0)
        return [replace(checked(web=code), code=code)]

    return wait_until_healthy(gate, world, look), len(looks) - len(left), hands.at


GOOD, BAD = Code.OK, Code.WRONG_STATE


def test_a_gate_opens_after_good_looks_in_a_row() -> None:
    assert gated([BAD, GOOD, BAD, GOOD, GOOD, GOOD, GOOD], Gate(stable=3, every=5.0, within=60.0)) == ("", 6, 25.0)


def test_a_gate_that_stays_closed_says_who_is_not_well() -> None:
    why, looks, took = gated([BAD] * 9, Gate(stable=2, every=5.0, within=10.0))
    assert (why, looks, took) == ("s: web 401 wrong state (x)", 3, 10.0)
    assert gated([GOOD, GOOD], Gate(stable=3, every=5.0, within=5.0))[0] == "green 2 of 3 times"
    assert gated([GOOD], Gate(), stopped=True)[0] == "interrupted"


def test_who_was_not_looked_at_is_named() -> None:
    hands = Hands()
    world = context(None, None, hands, pause=hands.pause)
    lost = ServerHealth("s", Code.UNREACHABLE, 0.0, (), "it is away")
    assert wait_until_healthy(Gate(within=1.0), world, lambda: [lost]) == "s: 503 unreachable (it is away)"
