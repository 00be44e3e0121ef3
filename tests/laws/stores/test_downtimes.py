"""The laws of Downtimes."""

from multiall_cli.domain.topology import Downtime, DowntimeKind
from multiall_cli.ports.store import Store


def test_an_operators_word_ends_when_it_was_to_end_or_is_withdrawn(store: Store) -> None:
    """A newer word of the same kind takes its place; other kinds stay."""
    first = Downtime("a", DowntimeKind.DRAIN, 0.0, 10.0, "ann", "kernel")
    store.downtimes.set(first)
    store.downtimes.set(Downtime("a", DowntimeKind.DRAIN, 5.0, 20.0, "bob", "longer"))
    store.downtimes.set(Downtime("a", DowntimeKind.MAINTENANCE, 6.0, 8.0, "bob", "disk"))
    store.downtimes.set(Downtime("b", DowntimeKind.PINNED_UP, 50.0, 60.0, "bob", "later"))
    held = [each for each in store.downtimes.all(7.0) if each.holds(7.0)]
    assert [(each.what, each.because) for each in held] == [
        (DowntimeKind.DRAIN, "longer"),
        (DowntimeKind.MAINTENANCE, "disk"),
    ]
    assert [each.because for each in store.downtimes.all(9.0)] == ["longer", "later"]
    assert [each.because for each in store.downtimes.end("b", 9.0)] == ["later"], "also what has not begun"
    assert [each.because for each in store.downtimes.all(9.0)] == ["longer"]
    assert len(store.downtimes.all()) == 4, "what there was is kept"


def test_an_earlier_window_leaves_a_later_one_alone(store: Store) -> None:
    """Saturday's was said first, then tonight's."""
    store.downtimes.set(Downtime("a", DowntimeKind.MAINTENANCE, 100.0, 200.0, "ann", "saturday"))
    store.downtimes.set(Downtime("a", DowntimeKind.MAINTENANCE, 10.0, 20.0, "ann", "tonight"))
    assert [each.because for each in store.downtimes.all(5.0) if each.holds(150.0)] == ["saturday"]
    assert [each.because for each in store.downtimes.all(5.0) if each.holds(15.0)] == ["tonight"]
