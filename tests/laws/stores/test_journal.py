"""The laws of a Journal."""

from dataclasses import replace

import pytest

from multiall_cli.domain.errors import MultiAllError, UsageError
from multiall_cli.domain.exits import Exit
from multiall_cli.domain.run import Entry, SavedState, Stage
from multiall_cli.domain.scope import Purpose, pool_scope, zone_scope
from multiall_cli.ports.store import Store
from tests.laws.stores.values import DB, FILES, ODD, WEB, a_handler, a_run, an_entry


def test_a_run_is_remembered_as_it_was_begun_and_ended(store: Store) -> None:
    """Found by its id or the beginning of it."""
    store.journal.begin(a_run("r1"))
    store.journal.begin(a_run("r2", started=2.0))
    store.journal.end("r1", Exit.PARTIAL, 9.0)
    first = store.journal.run("r1")
    assert first is not None
    assert (first.ended, first.result, first.targets) == (9.0, Exit.PARTIAL, ("a", "b"))
    assert store.journal.run("r2") == a_run("r2", started=2.0)
    assert [run.id for run in store.journal.runs(5)] == ["r2", "r1"]
    assert ([run.id for run in store.journal.runs(1)], store.journal.runs(5, DB), store.journal.run("x")) == (
        ["r2"],
        [],
        None,
    )


def test_a_run_may_change_one_thing_several_times(store: Store) -> None:
    """Each time has its own intent and outcome: a batch leaves a service, and comes back."""
    store.journal.begin(a_run("r1"))
    out = replace(an_entry(), purpose=Purpose.DRAIN)
    back = replace(an_entry(), purpose=Purpose.RESTORE, turn=1)
    store.journal.intend([out])
    store.journal.record([replace(out, stage=Stage.DONE)])
    store.journal.intend([back])
    found = [(each.turn, each.purpose, each.stage) for each in store.journal.entries("r1")]
    assert found == [(0, Purpose.DRAIN, Stage.DONE), (1, Purpose.RESTORE, Stage.INTENT)]
    assert [each.turn for each in store.journal.pending()] == [1]


def test_a_beginning_that_several_runs_share_is_refused(store: Store) -> None:
    """Unless it is one's whole id."""
    for each in ("r1", "r12", "r13"):
        store.journal.begin(a_run(each))
    with pytest.raises(UsageError, match="several runs begin so"):
        store.journal.run("r")
    found = store.journal.run("r1")
    assert found is not None
    assert found.id == "r1"


def test_an_intent_is_pending_until_its_outcome_is_recorded(store: Store) -> None:
    """Each with its own stage and detail."""
    store.journal.begin(a_run())
    store.journal.intend([an_entry("a"), an_entry("b"), an_entry("c")], [])
    assert [entry.key for entry in store.journal.pending(WEB)] == ["a", "b", "c"]
    store.journal.record([an_entry("a", stage=Stage.DONE), an_entry("b", stage=Stage.CONFLICT, detail="gone")])
    assert [entry.key for entry in store.journal.pending()] == ["c"]
    assert [(entry.key, entry.detail) for entry in store.journal.entries("r1", Stage.CONFLICT)] == [("b", "gone")]
    assert len(store.journal.entries("r1")) == 3


@pytest.mark.parametrize(("before", "after", "kept"), [("", "", ("old", "new")), ("", "other", ("", "other"))])
def test_what_was_intended_stays_unless_its_outcome_says_otherwise(
    store: Store, before: str, after: str, kept: tuple[str, str]
) -> None:
    store.journal.begin(a_run())
    store.journal.intend([replace(an_entry("a"), before="old", after="new")], [])
    store.journal.record([replace(an_entry("a"), before=before, after=after, stage=Stage.DONE, detail="well")])
    (entry,) = store.journal.entries("r1")
    assert (entry.before, entry.after, entry.stage, entry.detail) == (*kept, Stage.DONE, "well")


def test_settling_closes_the_open_intents_of_agents_on_a_subject(store: Store) -> None:
    """Whichever pool they were made in. What has an outcome, other members and other agents stay as they are."""
    store.journal.begin(a_run())
    store.journal.begin(a_run("r2", DB))
    store.journal.intend([an_entry("a"), an_entry("b"), an_entry("a", subject="b"), an_entry("a", run="r2")], [])
    store.journal.record([an_entry("b", stage=Stage.FAILED)])
    assert store.journal.settle(pool_scope("other"), "a", ["files:/elsewhere"], 5.0) == 0
    assert store.journal.settle(DB, "a", [FILES], 5.0) == 2
    assert {(entry.run, entry.subject) for entry in store.journal.pending()} == {("r1", "b")}
    assert [entry.key for entry in store.journal.entries("r1", Stage.SETTLED)] == ["a"]
    assert store.journal.settle(DB, "a", [FILES], 6.0) == 0


def test_an_intent_and_what_it_owes_are_written_together_or_not_at_all(store: Store) -> None:
    """An entry that is there already fails the whole."""
    store.journal.begin(a_run())
    store.journal.intend([an_entry("a")], [])
    with pytest.raises(MultiAllError):
        store.journal.intend([an_entry("b"), an_entry("a")], [a_handler()])
    assert ([entry.key for entry in store.journal.pending()], store.handlers.of(WEB)) == (["a"], [])


def test_settling_closes_what_a_pool_left_of_agents_that_it_no_longer_declares(store: Store) -> None:
    """Nobody else ever would."""
    store.journal.begin(a_run())
    store.journal.intend([an_entry("a")])
    assert store.journal.settle(WEB, "a", ["files:/new"], 5.0) == 1


def test_a_run_is_found_under_each_of_its_scopes(store: Store) -> None:
    """A pool's run that changes names is a run of their zone too."""
    zone = zone_scope("example.net")
    store.journal.begin(a_run("r1"))
    store.journal.begin(a_run("r2", zone, WEB, started=2.0))
    for _ in range(2):
        store.journal.add_scope("r1", zone)
    assert [run.id for run in store.journal.runs(5, zone)] == ["r2", "r1"]
    assert [(run.scope, run.scopes) for run in store.journal.runs(5, WEB)] == [(zone, (zone, WEB)), (WEB, (WEB, zone))]


def test_what_an_agent_did_lately_is_found_whichever_run_did_it(store: Store) -> None:
    """By the time of each entry, oldest first, with its purpose."""
    for run in ("r1", "r2"):
        store.journal.begin(a_run(run))
    drain = replace(an_entry("c", "r2", at=30.0), purpose=Purpose.DRAIN)
    other = replace(an_entry("d", at=25.0), agent="files:/other")
    store.journal.intend([an_entry("a", at=10.0), an_entry("b", "r2", at=20.0), drain, other])
    found = store.journal.recent(FILES, 20.0)
    assert [(each.key, each.purpose) for each in found] == [("b", Purpose.SYNC), ("c", Purpose.DRAIN)]


def test_times_that_lay_ahead_of_the_clock_are_recent_no_longer_than_from_then_on(store: Store) -> None:
    """A run under a clock that was an hour ahead counts as of the moment when that was noticed."""
    store.journal.begin(a_run(started=5_000.0))
    store.journal.intend([an_entry(at=5_010.0)])
    store.settle_clock(1_000.0)
    assert [each.at for each in store.journal.recent(FILES, 900.0)] == [1_010.0]
    assert store.journal.recent(FILES, 1_011.0) == []


def test_what_holds_after_a_crash_is_saved_with_the_intents(store: Store) -> None:
    store.journal.begin(a_run())
    store.journal.intend([an_entry()], states=[SavedState(FILES, "a", b"worst case")])
    assert store.states.get(FILES, "a") == b"worst case"
    with pytest.raises(MultiAllError):
        store.journal.intend([an_entry()], states=[SavedState(FILES, "a", b"other")])
    assert store.states.get(FILES, "a") == b"worst case"


@pytest.mark.parametrize("odd", ODD, ids=ascii)
def test_keys_and_words_of_any_bytes_come_back(store: Store, odd: str) -> None:
    """Nothing that a member says can break the journal."""
    store.journal.begin(a_run())
    entry = Entry("r1", f"files:{odd}", "a", "a", odd, "update", odd, odd, Stage.INTENT, odd, 1.0)
    store.journal.intend([entry])
    store.journal.record([entry])
    assert list(store.journal.entries("r1")) == list(store.journal.pending()) == [entry]
    assert list(store.journal.recent(f"files:{odd}", 0.0)) == [entry]
