"""The laws of a HealthHistory."""

import struct

import pytest

from multiall_cli.domain.baseline import Code, HealthSummary
from multiall_cli.domain.health import HealthRecord, Sample, Samples, Transition
from multiall_cli.ports.store import Store
from tests.laws.stores.values import ODD


def _look(server: str, at: float, changes: tuple[Transition, ...] = (), **codes: int) -> HealthRecord:
    samples = Samples(tuple(codes), tuple(codes.values()), [code / 4 for code in codes.values()])
    code = Code(max(codes.values(), default=Code.OK))
    return HealthRecord(server, at, code, f"{server} {at}".encode(), samples, changes)


def test_of_health_the_last_look_and_the_history_are_kept(store: Store) -> None:
    store.health.save_checks([_look("a", 1.0, disk=200, load=300), _look("b", 1.0, disk=404)], 0.0)
    store.health.save_checks([_look("a", 2.0, load=200)], 0.0)
    assert store.health.servers(["a", "b", "c"]) == {"a": b"a 2.0", "b": b"b 1.0"}
    assert store.health.latest() == {"a": HealthSummary(Code.OK, 2.0), "b": HealthSummary(Code.MISSING, 1.0)}
    assert store.health.samples("a", "load", 0.0) == [Sample(1.0, Code.WARN_LIMIT, 75.0), Sample(2.0, Code.OK, 50.0)]
    assert store.health.samples("a", "disk", 0.0) == [Sample(1.0, Code.OK, 50.0)]
    assert (store.health.samples("a", "load", 1.5), store.health.samples("c", "load", 0.0)) == (
        [Sample(2.0, Code.OK, 50.0)],
        [],
    )


def test_a_look_without_a_number_has_none(store: Store) -> None:
    """And one that is too large for four bytes is as large as those can be."""
    samples = Samples(("a", "b"), (200, 200), (None, 1e300))
    store.health.save_checks([HealthRecord("s", 1.0, Code.OK, b"", samples)], 0.0)
    assert store.health.samples("s", "a", 0.0)[0].value is None
    assert (store.health.samples("s", "b", 0.0)[0].value or 0.0) > 3e38


def test_of_looks_that_could_not_be_noted_nothing_is_taken_for_known(store: Store) -> None:
    """Not even the names of their rules."""
    broken = HealthRecord("b", 1.0, Code.OK, b"", Samples(("disk",), (-1,), (None,)))
    with pytest.raises(struct.error):
        store.health.save_checks([_look("a", 1.0, disk=200), broken], 0.0)
    assert store.health.servers(["a"]) == {}
    store.health.save_checks([_look("a", 2.0, disk=200)], 0.0)
    assert store.health.samples("a", "disk", 0.0) == [Sample(2.0, Code.OK, 50.0)]


def test_history_that_is_too_old_is_forgotten(store: Store) -> None:
    change = Transition(1.0, "a", "disk", Code.OK, Code.MISSING, "gone")
    store.health.save_checks([_look("a", 1.0, (change,), disk=404)], 0.0)
    assert store.health.transitions(9) == [change]
    store.health.save_checks([_look("b", 1.0, disk=404)], 1.0)
    store.health.save_checks([_look("a", 500.0, disk=200)], 300.0)
    assert ([each.at for each in store.health.samples("a", "disk", 0.0)], store.health.transitions(9)) == ([500.0], [])
    assert store.health.servers(["a", "b"]) == {"a": b"a 500.0"}, (
        "of a server that no one looks at nothing is kept for ever"
    )


@pytest.mark.parametrize("odd", ODD)
def test_turns_come_newest_first_as_they_were_told(store: Store, odd: str) -> None:
    turns = tuple(Transition(float(at), "a", f"r{at % 2}", None, Code.MISSING, odd) for at in range(4))
    store.health.save_checks(
        [_look("a", 9.0, turns, disk=200), _look("b", 9.0, (Transition(9.0, "b", "r0", Code.OK, Code.OK),))], 0.0
    )
    assert store.health.transitions(9, "a") == list(reversed(turns))
    assert store.health.transitions(1, "a", "r0") == [turns[2]]
    assert [each.server for each in store.health.transitions(9, rule="r0")] == ["b", "a", "a"]
