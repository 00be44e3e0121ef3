"""A time budget runs out unless bytes are transferred."""

from collections.abc import Iterator

from multiall_cli.adapters.time_budget import LEAST_RATE, TimeBudget


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_it_runs_out_by_the_clock() -> None:
    clock = Clock()
    budget = TimeBudget(10, clock)
    clock.now = 10
    assert budget.left() == 0


def test_bytes_extend_the_time_up_to_the_allowance() -> None:
    clock = Clock()
    budget = TimeBudget(10, clock)
    clock.now = 9
    budget.earn(LEAST_RATE * 2)
    assert budget.left() == 3
    budget.earn(LEAST_RATE * 1000)
    assert budget.left() == 10


def test_a_trickle_is_not_progress() -> None:
    """A trickle for days ends about when silence would."""
    clock = Clock()
    budget = TimeBudget(10, clock)
    while budget.left() > 0:
        clock.now += 1
        budget.earn(1)
    assert clock.now == 11


def test_the_time_that_the_source_takes_is_not_the_members() -> None:
    clock = Clock()
    budget = TimeBudget(10, clock)
    for _ in budget.untimed(_late(clock)):
        clock.now += 1
    assert budget.left() == 8


def _late(clock: Clock) -> Iterator[bytes]:
    for piece in (b"a", b"b"):
        clock.now += 100
        yield piece
