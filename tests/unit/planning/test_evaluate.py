"""From readings to statuses: what one reading says, and what time and circumstances make of it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from multiall_cli.domain.baseline import Checked, Code, Expectation, Reading, Rule, Status, worst
from multiall_cli.planning.checks import CHECKS
from multiall_cli.planning.evaluate import Held, evaluate, judge

DISK = Rule("disk", "disk", {"path": "/"}, (Expectation("used", warning=0.8, critical=0.9),))


def rule(check: str, *expects: Expectation, **more: object) -> Rule:
    return Rule(str(more.pop("id", check)), check, {}, expects, **more)  # type: ignore[arg-type]


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
        (rule("files", Expectation("age", critical=60.0)), {"count": 0}, Code.OK, "", ""),
        (rule("disk", DISK.expects[0], most=3), {"used": 0.95}, Code.WARN_LIMIT, "used 95 %", "< 90 %"),
    ],
)  # fmt: skip
def test_what_one_reading_says(asked: Rule, values: dict[str, object], code: Code, shows: str, wanted: str) -> None:
    found = judge(asked, Reading(values))
    assert (found.code, found.shows, found.wanted) == (code, shows, wanted)


def test_what_could_not_be_read_is_unknown_and_not_bad() -> None:
    assert judge(DISK, Reading(trouble="it hangs", code=Code.TIMEOUT)).code is Code.TIMEOUT


@given(
    st.dictionaries(
        st.sampled_from(["used", "present", "free", "inodes"]),
        st.none() | st.booleans() | st.floats() | st.text() | st.lists(st.integers()),
    )
)
def test_no_answer_of_a_member_is_a_surprise(values: dict[str, object]) -> None:
    for name, value in CHECKS["disk"].values.items():
        limits = Expectation(name, warning=0.8, critical=0.9) if value.worse else Expectation(name, True)
        judge(rule("disk", limits), Reading(values))


class Desk:
    """One rule over time; `held` as the store keeps it."""

    def __init__(self, *rules: Rule) -> None:
        self.rules = rules
        self.held: dict[str, Held] = {}

    def look(self, now: float, *used: float, maintenance: str = "") -> list[Status]:
        readings = {each.fact: Reading({"used": value}) for each, value in zip(self.rules, used, strict=True)}
        statuses, self.held = evaluate("web1", self.rules, readings, self.held, now, maintenance)
        return list(statuses)

    def codes(self, now: float, *used: float, maintenance: str = "") -> list[Code]:
        return [each.code for each in self.look(now, *used, maintenance=maintenance)]


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


def test_maintenance_hides_failures_and_keeps_what_is_well() -> None:
    (status,) = Desk(DISK).look(0.0, 0.95, maintenance="its disk")
    assert (status.code, status.hidden) == (Code.MAINTENANCE, Code.CRIT_LIMIT)
    assert Desk(DISK).codes(0.0, 0.5, maintenance="its disk") == [Code.OK]


def test_what_nobody_read_is_told() -> None:
    (status,), _ = evaluate("web1", [DISK], {}, {}, 0.0)
    assert (status.code, status.shows) == (Code.COLLECT_ERROR, "it was not read")


def test_unknown_never_hides_critical() -> None:
    assert worst([Code.TIMEOUT, Code.MISSING, Code.OK, Code.WARN_LIMIT, Code.MAINTENANCE]) is Code.MISSING
    assert worst([Code.TIMEOUT, Code.WARN_LIMIT]) is Code.TIMEOUT
    assert worst([]) is Code.OK


def test_codes_have_a_class_a_meaning_and_an_exit_code() -> None:
    assert {code.nagios for code in Code} == {0, 1, 2, 3}
    assert all(code.meaning and code.word for code in Code)
    assert [code for code in Code if code.is_problem] == [code for code in Code if code >= 300]
    assert (
        Checked("a", Code.OK, 0.0, (Status("a", "r", Code.MISSING), Status("a", "s", Code.OK))).problems[0].rule == "r"
    )
