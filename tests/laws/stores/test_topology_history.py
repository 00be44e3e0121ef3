"""The laws of a TopologyHistory."""

from dataclasses import replace

import pytest

from multiall_cli.domain.errors import MultiAllError
from multiall_cli.domain.topology import Event, Evidence, ProbeLevel
from multiall_cli.ports.store import Store
from tests.laws.stores.values import ODD


def _event(server: str, at: float, after: str = "up", words: str = "") -> Event:
    return Event(
        at, server, "unknown", after, "answered", words, "", (Evidence("adm", server, ProbeLevel.TCP, at, 0.1),)
    )


def test_of_each_observer_and_server_the_newest_evidence_is_kept(store: Store) -> None:
    """Whatever the order in which it comes; of one moment the higher rung."""
    store.topology.save_round(
        "adm", {}, [Evidence("adm", "a", ProbeLevel.TCP, 2.0), Evidence("b", "a", ProbeLevel.TIMEOUT, 1.0)], ()
    )
    store.topology.save_round("adm", {}, [Evidence("adm", "a", ProbeLevel.TIMEOUT, 1.0)], ())
    store.topology.save_round("adm", {}, [Evidence("adm", "a", ProbeLevel.AUTH, 2.0, 0.5, "slow", 0.01)], ())
    assert sorted(store.topology.evidence(), key=str) == [
        Evidence("adm", "a", ProbeLevel.AUTH, 2.0, 0.5, "slow", 0.01),
        Evidence("b", "a", ProbeLevel.TIMEOUT, 1.0),
    ]


def test_evidence_of_a_clock_that_was_set_back_is_believed(store: Store) -> None:
    """Else what was seen under the wrong time would be the newest for as long as it was wrong."""
    store.topology.save_round("adm", {}, [Evidence("adm", "a", ProbeLevel.TCP, 90_000.0)], ())
    store.topology.save_round("adm", {}, [Evidence("adm", "a", ProbeLevel.TIMEOUT, 5.0)], ())
    assert store.topology.evidence() == [Evidence("adm", "a", ProbeLevel.TIMEOUT, 5.0)]


def test_what_is_held_of_servers_is_each_vantages_own(store: Store) -> None:
    """The last value of each name."""
    store.topology.save_round("adm", {"a": b"1", "b": b"2"}, (), ())
    store.topology.save_round("adm", {"a": b"3"}, (), ())
    store.topology.save_round("other", {"a": b"9"}, (), ())
    assert (store.topology.servers("adm"), store.topology.servers("nobody")) == ({"a": b"3", "b": b"2"}, {})
    assert store.topology.vantages() == ["adm", "other"]


@pytest.mark.parametrize("odd", ODD, ids=ascii)
def test_events_come_newest_first_as_they_were_told(store: Store, odd: str) -> None:
    """Those of a server with those of the whole; and none after a moment."""
    told = [_event("a", 1.0), _event("b", 2.0, words=odd), _event("", 3.0, "frozen"), _event("a", 4.0, "down")]
    store.topology.save_round("adm", {}, (), told[:2])
    store.topology.save_round("adm", {}, (), told[2:])
    found = store.topology.events(10)
    assert [replace(each, id=0) for each in found] == told[::-1]
    assert [each.at for each in store.topology.events(2)] == [4.0, 3.0]
    assert [each.at for each in store.topology.events(10, "a")] == [4.0, 3.0, 1.0]
    assert [each.at for each in store.topology.events(10, until=2.0)] == [2.0, 1.0]
    assert len({each.id for each in found}) == len(told)


def test_old_evidence_is_let_go(store: Store) -> None:
    """A day later it shows nothing of how things are."""
    store.topology.save_round("adm", {}, [Evidence("b", "a", ProbeLevel.TCP, 1.0)], ())
    store.topology.save_round("adm", {}, [Evidence("adm", "a", ProbeLevel.TCP, 100_000.0)], ())
    assert store.topology.evidence() == [Evidence("adm", "a", ProbeLevel.TCP, 100_000.0)]


def test_a_round_is_written_whole_or_not_at_all(store: Store) -> None:
    """Evidence that cannot be written takes the events with it."""
    bad = Evidence("adm", "a", ProbeLevel.TCP, "not a time")  # type: ignore[arg-type]
    with pytest.raises(MultiAllError):
        store.topology.save_round("adm", {"a": b"1"}, [bad], [_event("a", 1.0)])
    assert (store.topology.servers("adm"), store.topology.evidence(), store.topology.events(5)) == ({}, [], [])
