"""Faults as typed on the command line."""

import pytest

from multiall_cli.domain.errors import UsageError
from multiall_cli.lab.real.faults import FAULTS, FaultKind, example, fault_kind, parse_values, with_defaults


def test_every_fault_has_a_valid_example() -> None:
    assert set(FAULTS) == set(FaultKind)
    for fault in FaultKind:
        assert set(parse_values(fault, example(fault).split())) == set(FAULTS[fault].takes)
        assert fault_kind(fault.replace("_", "-")) is fault


@pytest.mark.parametrize(
    ("fault", "word", "value"),
    [
        (FaultKind.LINE, "delay=200ms", 0.2),
        (FaultKind.LINE, "delay=1.5s", 1.5),
        (FaultKind.LINE, "loss=30%", 0.3),
        (FaultKind.LINE, "rate=8mbit", 1_000_000.0),
        (FaultKind.SKEW_CLOCK, "by=-2h", -7200.0),
        (FaultKind.DIE_MID_TRANSFER, "after=64k", 65536.0),
        (FaultKind.PARTITION, "from=web[1-2],admin", ("web1", "web2", "admin")),
    ],
)
def test_values(fault: FaultKind, word: str, value: object) -> None:
    (read_value,) = parse_values(fault, [word]).values()
    assert read_value == pytest.approx(value) if isinstance(value, float) else read_value == value


@pytest.mark.parametrize(
    ("fault", "word", "words"),
    [
        (FaultKind.LINE, "delay", "`delay` is not a value; write NAME=VALUE"),
        (FaultKind.LINE, "delay=", "invalid value delay=; write it as delay=200ms"),
        (FaultKind.LINE, "delay=5", "invalid value delay=5; write it as delay=200ms"),
        (FaultKind.LINE, "loss=0.3", "write it as loss=30%"),
        (FaultKind.LINE, "speed=1", "it has no `speed`; it takes delay, jitter, loss, rate"),
        (FaultKind.KILL, "now=1s", "it has no `now`; it takes no values"),
    ],
)
def test_invalid_values(fault: FaultKind, word: str, words: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_values(fault, [word])
    assert words in str(caught.value)


def test_missing_values_are_defaults() -> None:
    assert with_defaults(FaultKind.LINE, {"delay": 1.0}) == {"delay": 1.0, "jitter": 0.0, "loss": 0.0, "rate": 0.0}


def test_a_misspelled_name() -> None:
    with pytest.raises(UsageError, match=r"there is no such fault; did you mean freeze\? `multiall lab break` shows"):
        fault_kind("frezee")
