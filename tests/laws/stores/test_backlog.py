"""The laws of a Backlog, of PendingHandlers and of Results."""

import pytest

from multiall_cli.domain.report import MemberState
from multiall_cli.domain.run import LastResult, PendingHandler
from multiall_cli.ports.store import Store
from tests.laws.stores.values import DB, FILES, ODD, WEB, a_handler, a_run

OTHER = "files:/other"


def test_what_a_subject_missed_is_noted_once_per_run_and_agent_and_delivered_once(store: Store) -> None:
    """Delivered entries stay, with the run that delivered them; how many runs they were is counted."""
    for run in ("r1", "r1", "r2"):
        store.backlog.add(WEB, "a", "a", [FILES, OTHER], run, "away", 1.0)
    store.backlog.add(WEB, "b", "b", [FILES], "r1", "away", 1.0)
    found = store.backlog.entries(WEB)
    assert [(each.subject, each.run) for each in found] == [("a", "r1")] * 2 + [("a", "r2")] * 2 + [("b", "r1")]
    assert store.backlog.deliver(WEB, "a", [FILES, OTHER], "r3", 2.0) == 2
    assert store.backlog.deliver(WEB, "a", [FILES, OTHER], "r4", 3.0) == 0
    assert [each.subject for each in store.backlog.entries()] == ["b"]
    assert {each.delivered_by for each in store.backlog.entries(WEB, delivered=True)} == {"r3"}


def test_a_run_of_another_pool_delivers_what_its_own_agents_owe(store: Store) -> None:
    """The same agent in two pools is one; an agent that a pool declares no more is delivered with that pool."""
    store.backlog.add(WEB, "a", "a", [FILES, OTHER], "r1", "away", 1.0)
    assert store.backlog.deliver(DB, "a", [FILES], "r2", 2.0) == 1
    assert [each.agent for each in store.backlog.entries()] == [OTHER]
    assert store.backlog.deliver(WEB, "a", [FILES], "r3", 3.0) == 1
    assert store.backlog.entries() == []


def test_a_handler_is_pending_once_however_many_ask_for_it(store: Store) -> None:
    """Two trees and two runs that want the same reload: one reload, in the order in which they were first announced."""
    store.journal.begin(a_run())
    store.journal.begin(a_run("r2"))
    store.journal.intend([], [a_handler(), a_handler(agent="files:/etc"), a_handler(subject="b")])
    store.journal.intend([], [a_handler("r2")])
    assert [(each.subject, each.run) for each in store.handlers.of(WEB)] == [("a", "r2"), ("b", "r1")]
    store.handlers.complete(store.handlers.of(WEB, "a")[0])
    assert (store.handlers.of(WEB, "a"), len(store.handlers.of(WEB, "b"))) == ([], 1)


def test_the_last_result_of_a_subject_counts(store: Store) -> None:
    for state in (MemberState.FAILED, MemberState.SAME):
        store.results.save([LastResult(WEB, "a", state, "r1", "", 1.0)])
    assert [each.state for each in store.results.of(WEB)] == [MemberState.SAME]
    assert store.results.of(DB) == []


@pytest.mark.parametrize("odd", ODD, ids=ascii)
def test_words_of_any_bytes_come_back(store: Store, odd: str) -> None:
    store.journal.begin(a_run())
    handler = PendingHandler(WEB, "a", f"files:{odd}", "run", (odd,), "r1")
    store.journal.intend([], [handler])
    assert store.handlers.of(WEB) == [handler]
    store.handlers.complete(handler)
    assert store.handlers.of(WEB) == []
    store.backlog.add(WEB, "a", "a", [f"files:{odd}"], "r1", odd, 1.0)
    assert [(each.agent, each.reason) for each in store.backlog.entries()] == [(f"files:{odd}", odd)]
    result = LastResult(WEB, "a", MemberState.FAILED, "r1", odd, 1.0)
    store.results.save([result])
    assert store.results.of(WEB) == [result]
