"""From readings to statuses: what one reading says, and what time and circumstances make of it."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from multiall_cli.domain.baseline import Code, Expectation, FactValue, Rule, ServerHealth, Status, worst
from multiall_cli.domain.health import RuleState, Waiver
from multiall_cli.planning.checks import CHECKS
from multiall_cli.planning.evaluate import Circumstances, evaluate, is_due, remembered
from multiall_cli.planning.thresholds import comparable, judge

DISK = Rule("disk", "disk", {"path": "/"}, (Expectation("used", warning=0.8, critical=0.9),))


def rule(check: str, *expects: Expectation, **more: object) -> Rule:
    return Rule(str(more.pop("id", check)), check, {}, expects, **more)  # type: ignore[arg-type]


COUNTED = rule("files", Expectation("count", critical=9.0), Expectation("age", critical=60.0))
PORT = rule("port", Expectation("open", True), Expectation("addresses", ("127.0.0.1",)))
LOAD = rule("load", Expectation("five", ranges=((2.0, 4.0), (1.0, None))))
FREE = rule("memory", Expectation("available", warning=0.1, critical=0.05))
FILE = rule("file", Expectation("present", True), Expectation("mode", "0644"))
TCP = rule("tcp", Expectation("open", True))
HTTP = rule("http", Expectation("present", True), Expectation("status", 200))
TLS = rule("certificate", Expectation("left", warning=86400.0, critical=3600.0))
ANYTHING = st.none() | st.booleans() | st.floats() | st.text() | st.just(10**400) | st.lists(st.integers())


@pytest.mark.parametrize(
    ("asked", "values", "code", "shows", "wanted"),
    [
        (DISK, {"used": 0.5}, Code.OK, "used 50 %", ""),
        (DISK, {"used": 0.8}, Code.WARN_LIMIT, "used 80 %", "< 80 %"),
        (DISK, {"used": 0.93}, Code.CRIT_LIMIT, "used 93 %", "< 90 %"),
        (DISK, {"used": "much"}, Code.BAD_OUTPUT, "used is no number of use", ""),
        (DISK, {"used": True}, Code.BAD_OUTPUT, "used is no number of use", ""),
        (DISK, {"used": 10**400}, Code.BAD_OUTPUT, "used is no number of use", ""),
        (DISK, {"used": float("nan")}, Code.BAD_OUTPUT, "used is no number of use", ""),
        (DISK, {}, Code.BAD_OUTPUT, "used was not told", ""),
        (FREE, {"available": 0.07}, Code.WARN_LIMIT, "available 7 %", ">= 10 %"),
        (FILE, {"present": False}, Code.MISSING, "not there", ""),
        (rule("file", Expectation("present", False)), {"present": True}, Code.UNWANTED, "there", ""),
        (rule("file", Expectation("present", False)), {"present": False}, Code.OK, "present false", ""),
        (FILE, {"present": True, "mode": "0666"}, Code.WRONG_ACCESS, "mode 0666", "0644"),
        (rule("service", Expectation("running", True)), {"running": False}, Code.WRONG_STATE, "running false", "true"),
        (rule("sysctl", Expectation("value", "1")), {"value": "0"}, Code.WRONG_VALUE, "value 0", "1"),
        (rule("sysctl", Expectation("value", "1")), {"value": 1}, Code.WRONG_VALUE, "value 1", "1"),
        (rule("user", Expectation("groups", ("a", "b"))), {"groups": ["a", "b", "x"]}, Code.OK, "groups a, b, x", ""),
        (rule("user", Expectation("groups", ("adm",))), {"groups": []}, Code.WRONG_ACCESS, "groups none", "adm"),
        (TCP, {"open": False, "why": "refused"}, Code.WRONG_STATE, "open false (refused)", "true"),
        (HTTP, {"present": False, "why": "refused"}, Code.WRONG_STATE, "refused", ""),
        (HTTP, {"present": True, "status": 500}, Code.WRONG_VALUE, "status 500", "200"),
        (TLS, {"left": 7200.0}, Code.EXPIRING, "left 2 h", ">= 1 d"),
        (TLS, {"left": -7200.0}, Code.EXPIRED, "left -2 h", ">= 1 h"),
        (LOAD, {"five": 3.0}, Code.OK, "five 3", ""),
        (LOAD, {"five": 1.5}, Code.WARN_LIMIT, "five 1.5", "2..4"),
        (LOAD, {"five": 4.5}, Code.WARN_LIMIT, "five 4.5", "2..4"),
        (LOAD, {"five": 0.5}, Code.CRIT_LIMIT, "five 0.5", "1.."),
        (rule("files", Expectation("age", critical=60.0)), {"count": 0}, Code.MISSING, "there is none", ""),
        (COUNTED, {"count": 0}, Code.OK, "", ""),
        (PORT, {"open": True, "addresses": ["127.0.0.1"]}, Code.OK, "addresses 127.0.0.1", ""),
        (PORT, {"open": True, "addresses": ["127.0.0.1", "0.0.0.0"]}, Code.WRONG_ACCESS,
         "addresses 127.0.0.1, 0.0.0.0", "127.0.0.1"),
        (rule("user", Expectation("groups", ("a",))), {"groups": [["a"]]}, Code.WRONG_ACCESS, "groups ['a']", "a"),
        (rule("disk", DISK.expects[0], most=3), {"used": 0.95}, Code.WARN_LIMIT, "used 95 %", "< 90 %"),
    ],
)  # fmt: skip
def test_what_one_reading_says(asked: Rule, values: dict[str, object], code: Code, shows: str, wanted: str) -> None:
    found = judge(asked, FactValue(values))
    assert (found.code, found.shows, found.wanted) == (code, shows, wanted)


def test_what_could_not_be_read_is_unknown_and_not_bad() -> None:
    assert judge(DISK, FactValue(trouble="it hangs", code=Code.TIMEOUT)).code is Code.TIMEOUT


@given(
    st.dictionaries(
        st.sampled_from(["used", "present", "free", "inodes"]),
        st.none() | st.booleans() | st.floats() | st.text() | st.lists(st.integers()),
    )
)
def test_no_answer_of_a_member_is_a_surprise(values: dict[str, object]) -> None:
    for name, value in CHECKS["disk"].values.items():
        limits = Expectation(name, warning=0.8, critical=0.9) if value.worse else Expectation(name, True)
        judge(rule("disk", limits), FactValue(values))


class Desk:
    """One rule over time; `held` as the store keeps it."""

    def __init__(self, *rules: Rule) -> None:
        self.rules = rules
        self.held: dict[str, RuleState] = {}

    def look(self, now: float, *used: float, **more: Any) -> list[Status]:
        readings = {each.fact: FactValue({"used": value}) for each, value in zip(self.rules, used, strict=True)}
        statuses, self.held = evaluate("web1", self.rules, readings, self.held, Circumstances(now, **more))
        return list(statuses)

    def codes(self, now: float, *used: float, **more: Any) -> list[Code]:
        return [each.code for each in self.look(now, *used, **more)]


def test_it_has_to_last() -> None:
    desk = Desk(rule("disk", *DISK.expects, lasting=60.0))
    assert desk.codes(100.0, 0.95) == [Code.SOFT_FAIL]
    assert desk.look(130.0, 0.95)[0].hidden is Code.CRIT_LIMIT
    assert desk.codes(160.0, 0.95) == [Code.CRIT_LIMIT]
    assert desk.codes(170.0, 0.5) == [Code.OK]
    assert desk.codes(180.0, 0.95) == [Code.SOFT_FAIL], "it begins anew"


def test_who_failed_is_well_only_past_the_limit_that_clears_it() -> None:
    desk = Desk(rule("disk", *DISK.expects, clear=0.75))
    assert [desk.codes(at, used)[0] for at, used in enumerate((0.78, 0.85, 0.78, 0.7, 0.78), 1)] == [
        Code.OK, Code.WARN_LIMIT, Code.WARN_LIMIT, Code.OK, Code.OK,
    ]  # fmt: skip


def test_a_soft_fail_needs_no_clearing() -> None:
    desk = Desk(rule("disk", *DISK.expects, clear=0.75, lasting=60.0))
    assert [desk.codes(at, used)[0] for at, used in ((1.0, 0.85), (10.0, 0.78))] == [Code.SOFT_FAIL, Code.OK]


def test_since_is_of_the_class() -> None:
    desk = Desk(DISK)
    assert [desk.look(at, used)[0].since for at, used in ((1.0, 0.5), (2.0, 0.85), (3.0, 0.86), (4.0, 0.95))] == [
        1,
        2,
        2,
        4,
    ]


def test_consequences_are_muted() -> None:
    cause = Rule("cause", "disk", {"path": "/a"}, DISK.expects)
    effect = Rule("effect", "disk", {"path": "/b"}, DISK.expects, needs=("cause", "gone"))
    desk = Desk(cause, effect)
    assert desk.codes(0.0, 0.95, 0.95) == [Code.CRIT_LIMIT, Code.SUPPRESSED]
    assert desk.codes(1.0, 0.5, 0.95) == [Code.OK, Code.CRIT_LIMIT]
    assert desk.codes(2.0, 0.95, 0.5) == [Code.CRIT_LIMIT, Code.OK]


def test_consequences_wait_with_their_cause() -> None:
    """While it is not told yet: else they would be told first, and muted then."""
    cause = Rule("cause", "disk", {"path": "/a"}, DISK.expects, lasting=60.0)
    effect = Rule("effect", "disk", {"path": "/b"}, DISK.expects, needs=("cause",))
    desk = Desk(cause, effect)
    assert desk.codes(1.0, 0.95, 0.95) == [Code.SOFT_FAIL, Code.SUPPRESSED]
    assert desk.codes(61.0, 0.95, 0.95) == [Code.CRIT_LIMIT, Code.SUPPRESSED]


def test_maintenance_hides_failures_and_keeps_what_is_well() -> None:
    (status,) = Desk(DISK).look(0.0, 0.95, maintenance="its disk")
    assert (status.code, status.hidden) == (Code.MAINTENANCE, Code.CRIT_LIMIT)
    assert Desk(DISK).codes(0.0, 0.5, maintenance="its disk") == [Code.OK]


def test_what_nobody_read_is_told() -> None:
    (status,), _ = evaluate("web1", [DISK], {}, {}, Circumstances(0.0))
    assert (status.code, status.shows) == (Code.COLLECT_ERROR, "it was not read")


def test_it_has_to_fail_often_enough() -> None:
    """A check that fails now and then by itself: three of five looks."""
    desk = Desk(rule("disk", *DISK.expects, often=(3, 5)))
    used = (0.95, 0.5, 0.95, 0.5, 0.95, 0.95, 0.5, 0.5, 0.95)
    found = [desk.codes(float(at), each)[0] for at, each in enumerate(used)]
    soft, bad, well = Code.SOFT_FAIL, Code.CRIT_LIMIT, Code.OK
    assert found == [soft, well, soft, well, bad, bad, well, well, bad]


def test_a_waived_failure_is_exempt_and_what_hangs_on_it_is_muted() -> None:
    cause = Rule("cause", "disk", {"path": "/a"}, DISK.expects)
    effect = Rule("effect", "disk", {"path": "/b"}, DISK.expects, needs=("cause",))
    waived = {"cause": Waiver("cause", "web1", 9.0, "it is known", "ann")}
    desk = Desk(cause, effect)
    assert desk.codes(0.0, 0.95, 0.95, waived=waived) == [Code.EXEMPT, Code.SUPPRESSED]
    assert desk.look(1.0, 0.95, 0.5, waived=waived)[0].hidden is Code.CRIT_LIMIT
    assert desk.codes(2.0, 0.5, 0.5, waived=waived) == [Code.OK, Code.OK]


def test_a_rule_that_is_not_due_stands_as_it_did() -> None:
    desk = Desk(rule("disk", *DISK.expects, every=60.0))
    assert desk.codes(100.0, 0.95) == [Code.CRIT_LIMIT]
    assert desk.codes(159.0, 0.5) == [Code.CRIT_LIMIT]
    assert desk.codes(160.0, 0.5) == [Code.OK]
    assert desk.held["disk"].at == 160.0
    assert is_due(desk.rules[0], desk.held["disk"], 10.0), "its clock was set back"


def test_a_rule_that_became_due_while_others_were_read_stands_as_it_did() -> None:
    """It was not asked for: nothing is wrong with that."""
    desk = Desk(rule("disk", *DISK.expects, every=60.0))
    desk.codes(100.0, 0.95)
    (status,), held = evaluate("web1", desk.rules, {}, desk.held, Circumstances(160.0))
    assert (status.code, held["disk"].at) == (Code.CRIT_LIMIT, 100.0)


def test_who_differs_from_most_brothers_drifts() -> None:
    alike = rule("disk", same=("used",))
    assert Desk(alike).codes(0.0, 0.5, most={"disk": {"used": comparable(0.5)}}) == [Code.OK]
    (status,) = Desk(alike).look(0.0, 0.6, most={"disk": {"used": comparable(0.5)}})
    assert (status.code, status.wanted) == (Code.DRIFT, "50 %, as most brothers have")
    assert Desk(alike).codes(0.0, 0.6, most={"disk": {"used": None}}) == [Code.DRIFT], "no one agrees"
    assert Desk(alike).codes(0.0, 0.6, most={}) == [Code.OK], "it has no brothers"
    assert Desk(alike).codes(0.0, 0.6, most={"disk": {}}) == [Code.OK]


def test_what_is_measured_is_kept_with_its_limits() -> None:
    desk = Desk(DISK)
    (status,) = desk.look(0.0, 0.5)
    assert (status.value, status.limits) == (0.5, (0.8, 0.9))
    assert Desk(FILE).look(0.0, 0.5)[0].limits == (None, None)


CPU = rule("cpu", Expectation("used", critical=0.9))


def test_what_is_about_the_time_between_two_looks_is_pending_at_the_first() -> None:
    """Where there is a mark from which the next look goes on; with what is well it is pending all the same."""
    assert judge(CPU, FactValue({}, mark="[1]")).code is Code.PENDING
    assert judge(CPU, FactValue({})).code is Code.UNSUPPORTED
    both = rule("process", Expectation("count", critical=1.0), Expectation("cpu", critical=2.0))
    assert judge(both, FactValue({"count": 3}, mark="[1]")).code is Code.PENDING
    assert judge(both, FactValue({"count": 0}, mark="[1]")).code is Code.CRIT_LIMIT


def test_a_clock_that_was_set_back_makes_nothing_well() -> None:
    desk = Desk(DISK)
    assert desk.codes(1000.0, 0.95) == [Code.CRIT_LIMIT]
    assert desk.codes(999.0, 0.95) == [Code.CRIT_LIMIT]
    lasting = Desk(rule("disk", *DISK.expects, lasting=60.0))
    lasting.codes(1000.0, 0.95)
    assert lasting.codes(100.0, 0.95) == [Code.SOFT_FAIL]
    assert lasting.codes(160.0, 0.95) == [Code.CRIT_LIMIT]


def test_what_is_not_due_is_hidden_only_for_as_long_as_there_is_a_reason() -> None:
    """And is hidden from then on where there is one."""
    desk = Desk(rule("disk", *DISK.expects, every=86400.0))
    waived = {"disk": Waiver("disk", "web1", 9.0, "it is known", "ann")}
    assert desk.codes(1.0, 0.95, maintenance="its disk") == [Code.MAINTENANCE]
    assert desk.codes(2.0, 0.1) == [Code.CRIT_LIMIT]
    assert desk.codes(3.0, 0.1, waived=waived) == [Code.EXEMPT]
    (status,) = desk.look(4.0, 0.1)
    assert (status.code, status.shows) == (Code.CRIT_LIMIT, "used 95 %")


def test_what_was_held_of_a_rule_that_asked_for_something_else_is_forgotten() -> None:
    desk = Desk(rule("disk", *DISK.expects, every=86400.0))
    desk.codes(1.0, 0.95)
    desk.rules = (rule("disk", Expectation("used", critical=0.99), lasting=60.0),)
    assert desk.codes(100.0, 0.995) == [Code.SOFT_FAIL]
    assert remembered((DISK,), desk.held, Circumstances(100.0)) == {}


def test_one_look_that_failed_does_not_make_a_good_value_stick() -> None:
    desk = Desk(rule("disk", *DISK.expects, clear=0.7))
    desk.codes(1.0, 0.75)
    trouble = {desk.rules[0].fact: FactValue(trouble="it hangs", code=Code.TIMEOUT)}
    _, desk.held = evaluate("web1", desk.rules, trouble, desk.held, Circumstances(2.0))
    assert desk.codes(3.0, 0.75) == [Code.OK]


def test_a_warning_is_no_reason_to_be_silent_about_what_is_critical() -> None:
    cause = Rule("cause", "disk", {"path": "/a"}, DISK.expects)
    effect = Rule("effect", "disk", {"path": "/b"}, DISK.expects, needs=("cause",))
    assert Desk(cause, effect).codes(1.0, 0.85, 0.95) == [Code.WARN_LIMIT, Code.CRIT_LIMIT]


def test_unknown_never_hides_critical() -> None:
    assert worst([Code.TIMEOUT, Code.MISSING, Code.OK, Code.WARN_LIMIT, Code.MAINTENANCE]) is Code.MISSING
    assert worst([Code.TIMEOUT, Code.WARN_LIMIT]) is Code.TIMEOUT
    assert worst([]) is Code.OK


def test_codes_have_a_class_a_meaning_and_an_exit_code() -> None:
    assert {code.nagios for code in Code} == {0, 1, 2, 3}
    assert all(code.meaning and code.word for code in Code)
    assert [code for code in Code if code.is_problem] == [code for code in Code if code >= 300]
    assert (
        ServerHealth("a", Code.OK, 0.0, (Status("a", "r", Code.MISSING), Status("a", "s", Code.OK))).problems[0].rule
        == "r"
    )
