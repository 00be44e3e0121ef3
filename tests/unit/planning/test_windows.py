"""Windows of the inventory: when they hold, over changes of the clock, and what is wrong with those that cannot be."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from multiall_cli.domain.inventory import Inventory, Pool, Server, Window
from multiall_cli.domain.topology import DowntimeKind
from multiall_cli.planning.whom import INVENTORY as WHO
from multiall_cli.planning.windows import fault_of, promised, spells

HOUR = 3600.0
ZURICH = ZoneInfo("Europe/Zurich")


def at(text: str, zone: str = "Europe/Zurich") -> float:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp()


def window(
    when: str = "0 2 * * *", hours: float = 2.0, zone: str = "Europe/Zurich", what: str = "maintenance"
) -> Window:
    return Window(when, hours * HOUR, zone, "patches", what)


@pytest.mark.parametrize(
    ("now", "begins"),
    [
        ("2026-11-26T01:59:59", ["2026-11-26T02:00"]),
        ("2026-11-26T02:00:00", ["2026-11-26T02:00", "2026-11-27T02:00"]),
        ("2026-11-26T02:00:30", ["2026-11-26T02:00", "2026-11-27T02:00"]),
        ("2026-11-26T03:59:59", ["2026-11-26T02:00", "2026-11-27T02:00"]),
        ("2026-11-26T04:00:00", ["2026-11-27T02:00"]),
    ],
)
def test_the_one_that_holds_and_the_next(now: str, begins: list[str]) -> None:
    assert list(spells(window(), at(now))) == [(at(each), at(each) + 2 * HOUR) for each in begins]


def test_it_lasts_as_long_where_the_clock_is_put_back() -> None:
    """25 October 2026, 3:00 in Zurich is 2:00 again: two hours are two hours."""
    began = at("2026-10-25T01:30")
    (begins, ends), _ = spells(window("30 1 * * *"), began + 1.9 * HOUR)
    assert (begins, ends - begins) == (began, 2 * HOUR)


def test_a_window_of_an_hour_that_is_left_out_is_not_left_out() -> None:
    """29 March 2026, 2:00 in Zurich is 3:00: what begins at 2:30 begins when the clock has been put forward."""
    (begins, _), *_ = spells(window("30 2 * * *", 1), at("2026-03-29T03:10"))
    assert datetime.fromtimestamp(begins, ZURICH).day == 29


@given(st.floats(0, 4e9), st.sampled_from(["*/7 * * * *", "0 2 * * sun", "59 23 31 12 *"]), st.floats(0.02, 200))
def test_only_the_first_of_two_can_hold(now: float, when: str, hours: float) -> None:
    found = list(spells(window(when, hours, "UTC"), now))
    assert len(found) in (1, 2)
    assert found[-1][0] > now
    assert all(end > now for _, end in found)


def test_of_servers_and_of_pools() -> None:
    servers = {
        name: Server(name, name, windows=(window(what="drain"),) if name == "web1" else ()) for name in ("web1", "web2")
    }
    inventory = Inventory(servers, {"web": Pool("web", ("web1", "web2"), windows=(window("0 3 * * *"),))})
    told = promised(inventory, at("2026-11-26T03:10"))
    holding = [(each.server, each.what, each.who) for each in told if each.holds(at("2026-11-26T03:10"))]
    assert holding == [
        ("web1", DowntimeKind.DRAIN, WHO),
        ("web1", DowntimeKind.MAINTENANCE, WHO),
        ("web2", DowntimeKind.MAINTENANCE, WHO),
    ]


@pytest.mark.parametrize(
    ("wrong", "key"),
    [
        (window(zone="Europe/Zuerich"), "zone"),
        (window(zone="../../etc/passwd"), "zone"),
        (window("0 25 * * *"), "at"),
        (window("sun 02:00"), "at"),
        (window("0 0 30 2 *"), "at"),
        (window("* * * * *"), "lasts"),
        (window(hours=24.0), "lasts"),
    ],
)
def test_what_cannot_be(wrong: Window, key: str) -> None:
    fault = fault_of(wrong)
    assert fault is not None
    assert fault[0] == key


def test_what_can_be() -> None:
    assert fault_of(window("0 2 * * SUN,sat", zone="UTC")) is None


def test_the_next_one_of_an_hour_that_comes_twice() -> None:
    """25 October 2026, in the second pass of 2:00 to 3:00: what began at 2:30 before is over."""
    now = at("2026-10-25T02:10") + HOUR
    found = [datetime.fromtimestamp(begins, ZURICH).day for begins, _ in spells(window("30 2 * * *", 0.1), now)]
    assert found[-1] in (25, 26)
    assert len(found) == 1
