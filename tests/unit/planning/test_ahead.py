"""Times that were stored under a clock that was ahead."""

import pytest

from multiall_cli.agents.zones.resolver_cache import settled
from multiall_cli.domain.records import RetiredRecord
from multiall_cli.planning.ahead import as_of, end_of, is_ahead, report

NOW = 1_000_000.0


@pytest.mark.parametrize(
    ("at", "ahead"), [(0.0, False), (NOW, False), (NOW + 59, False), (NOW + 61, True), (4e9, True)]
)
def test_a_time_counts_as_of_now_where_it_lies_ahead(at: float, ahead: bool) -> None:
    assert is_ahead(at, NOW) is ahead
    assert as_of(at, NOW) == (NOW if ahead else at)
    assert end_of(at + 30, at, NOW) == (NOW + 30 if ahead else at + 30)


def test_what_clients_hold_is_counted_from_now_on_and_only_once() -> None:
    late = RetiredRecord(("www.", "A"), "192.0.2.1", NOW + 7200 + 300, ttl=300, noted=NOW + 7200)
    sound = RetiredRecord(("www.", "A"), "192.0.2.2", NOW + 3600, ttl=60, noted=NOW - 10)
    old = RetiredRecord(("www.", "A"), "192.0.2.3", NOW + 9999, ttl=60)
    found = settled([late, sound, old], NOW)
    assert [each.until for each in found] == [NOW + 300, NOW + 3600, NOW + 9999]
    assert [each.until for each in settled(found, NOW + 100)] == [NOW + 300, NOW + 3600, NOW + 9999]


def test_the_report_has_the_number_and_the_lead() -> None:
    assert report([7200.0, 90.0]).startswith("clock: 2 stored times are up to 2 h later than the clock of this host")
    assert report([90.0]).startswith("clock: 1 stored time is 90 s later")
