"""Results as they come; the last ones are given up when they take much longer than the others."""

import threading
from collections.abc import Callable, Iterator

import pytest

from multiall_cli.domain.errors import MemberFault, MultiAllError, Unreachable
from multiall_cli.engine.fanout import Stragglers, fan_out
from multiall_cli.planning.stragglers import allowance
from tests.limits import HANG

SOON = 0.05  # seconds of silence; the others end at once


@pytest.mark.parametrize(
    ("ended", "items", "seconds"),
    [
        ([], 4, None),
        ([1.0], 4, None),
        ([1.0, 2.0], 4, 120.0),
        ([1.0, 30.0], 4, 300.0),
        ([1.0], 1, 120.0),
        ([0.0, 0.0, 0.0], 100, None),
    ],
)
def test_how_long_the_last_ones_are_waited_for(ended: list[float], items: int, seconds: float | None) -> None:
    assert allowance(ended, items, 60.0) == seconds


@pytest.fixture
def held() -> Iterator[threading.Event]:
    """Whoever waits for it hangs until the test is over."""
    event = threading.Event()
    yield event
    event.set()


def _fan(
    items: list[str], work: Callable[[str], str], parallel: int, discard: Callable[[str], None] = lambda result: None
) -> dict[str, str | MultiAllError]:
    return dict(fan_out(items, work, parallel, stragglers=Stragglers(SOON, lambda item: item, discard)))


def test_stragglers_are_given_up_and_the_others_go_on(held: threading.Event) -> None:
    """Two of two workers hang; the items behind them are done by others."""

    def work(item: str) -> str:
        if item.startswith("slow"):
            held.wait(HANG)
        return item.upper()

    found = _fan(["a", "b", "c", "d", "slow1", "slow2", "e"], work, 2)
    slow = [found.pop(name) for name in ("slow1", "slow2")]
    assert found == {name: name.upper() for name in "abcde"}
    assert [(type(each), each.reason) for each in slow if isinstance(each, Unreachable)] == [(Unreachable, "slow")] * 2
    assert "it had not answered after" in str(slow[0])
    assert "--timeout" in str(slow[0])


def test_what_comes_too_late_is_let_go(held: threading.Event) -> None:
    late = threading.Event()
    discarded: list[str] = []

    def work(item: str) -> str:
        if item == "slow":
            held.wait(HANG)
        return item

    def discard(result: str) -> None:
        discarded.append(result)
        late.set()

    found = _fan(["a", "b", "slow"], work, 3, discard)
    assert isinstance(found["slow"], Unreachable)
    held.set()
    assert late.wait(HANG)
    assert discarded == ["slow"]


def test_errors_of_members_are_results_and_faults_of_ours_are_raised() -> None:
    def work(item: str) -> str:
        if item == "bad":
            raise MemberFault("bad", "what", "todo")
        if item == "broken":
            raise ZeroDivisionError
        return item

    assert isinstance(_fan(["a", "bad"], work, 2)["bad"], MemberFault)
    with pytest.raises(ZeroDivisionError):
        _fan(["a", "broken"], work, 2)


def test_nothing_more_is_begun_once_it_is_to_stop() -> None:
    done: list[str] = []
    found = dict(fan_out(["a", "b", "c"], lambda item: done.append(item), 1, lambda: bool(done)))
    assert (list(found), done) == (["a"], ["a"])
