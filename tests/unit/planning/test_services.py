"""What rules ask of services that must not run, must not be started, or are not installed."""

import pytest

from multiall_cli.domain.baseline import Code
from tests.fixtures.judging import ruled, shown

GONE = {"present": False, "running": False, "enabled": False, "masked": False}
STOPPED = {"present": True, "running": False, "enabled": False, "masked": False}
MASKED = {**STOPPED, "masked": True, "why": "masked"}
RUNS = {"present": True, "running": True, "enabled": True, "masked": False}


@pytest.mark.parametrize(
    ("asked", "values", "code"),
    [
        ({"running": False}, GONE, Code.OK),
        ({"running": False, "enabled": False}, GONE, Code.OK),
        ({"running": False, "enabled": False}, STOPPED, Code.OK),
        ({"running": False}, RUNS, Code.WRONG_STATE),
        ({"running": False, "present": True}, GONE, Code.MISSING),
        ({"running": False, "enabled": True}, GONE, Code.MISSING),
        ({"enabled": False}, GONE, Code.MISSING),
        ({}, GONE, Code.MISSING),
        ({"running": False, "masked": True}, MASKED, Code.OK),
        ({"masked": True}, MASKED, Code.OK),
        ({"masked": False}, RUNS, Code.OK),
        ({"masked": False}, STOPPED, Code.WRONG_STATE),
        ({"running": False, "masked": True}, STOPPED, Code.WRONG_STATE),
        ({"running": False, "masked": True}, GONE, Code.MISSING),
        ({"enabled": True}, RUNS, Code.OK),
    ],
)
def test_what_a_rule_asks_of_a_service(asked: dict[str, object], values: dict[str, object], code: Code) -> None:
    assert shown(ruled("service", name="x", **asked), values).code is code


@pytest.mark.parametrize("check", ["timer", "container"])
def test_timers_and_containers_that_must_not_run(check: str) -> None:
    assert shown(ruled(check, name="x", running=False), {"present": False}).code is Code.OK
    assert shown(ruled(check, name="x"), {"present": False}).code is Code.MISSING
