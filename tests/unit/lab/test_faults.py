"""Faults as they are typed."""

import pytest

from multiall_cli.domain.errors import UsageError
from multiall_cli.lab.real.faults import FAULTS, Fault, checked, example, named, read


def test_every_fault_is_told_and_its_example_can_be_typed() -> None:
    assert set(FAULTS) == set(Fault)
    for fault in Fault:
        assert set(read(fault, example(fault).split())) == set(FAULTS[fault].takes)
        assert named(fault.replace("_", "-")) is fault


@pytest.mark.parametrize(
    ("fault", "word", "value"),
    [
        (Fault.LINE, "delay=200ms", 0.2),
        (Fault.LINE, "delay=1.5s", 1.5),
        (Fault.LINE, "loss=30%", 0.3),
        (Fault.LINE, "rate=8mbit", 1_000_000.0),
        (Fault.SKEW_CLOCK, "by=-2h", -7200.0),
        (Fault.DIE_MID_TRANSFER, "after=64k", 65536.0),
        (Fault.PARTITION, "from=web[1-2],admin", ("web1", "web2", "admin")),
    ],
)
def test_values(fault: Fault, word: str, value: object) -> None:
    (read_value,) = read(fault, [word]).values()
    assert read_value == pytest.approx(value) if isinstance(value, float) else read_value == value


@pytest.mark.parametrize(
    ("fault", "word", "words"),
    [
        (Fault.LINE, "delay", "`delay` is no value; write NAME=VALUE"),
        (Fault.LINE, "delay=", "delay= makes no sense; write it as delay=200ms"),
        (Fault.LINE, "delay=5", "delay=5 makes no sense; write it as delay=200ms"),
        (Fault.LINE, "loss=0.3", "write it as loss=30%"),
        (Fault.LINE, "speed=1", "it has no `speed`; it takes delay, jitter, loss, rate"),
        (Fault.KILL, "now=1s", "it has no `now`; it takes no values"),
    ],
)
def test_what_makes_no_sense(fault: Fault, word: str, words: str) -> None:
    with pytest.raises(UsageError) as caught:
        read(fault, [word])
    assert words in str(caught.value)


def test_what_is_not_given_is_as_the_table_says() -> None:
    assert checked(Fault.LINE, {"delay": 1.0}) == {"delay": 1.0, "jitter": 0.0, "loss": 0.0, "rate": 0.0}


def test_a_name_that_is_nearly_one() -> None:
    with pytest.raises(UsageError, match=r"there is no such fault; did you mean freeze\? `multiall lab break` shows"):
        named("frezee")
