"""The laws of AgentStates and of a Cache."""

import pytest

from multiall_cli.domain.run import SavedState
from multiall_cli.ports.store import Store
from tests.laws.stores.values import FILES, ODD


def test_the_last_value_of_each_subject_and_part_counts(store: Store) -> None:
    store.states.put([SavedState(FILES, "a", b"1"), SavedState(FILES, "a", b"2", "part")], "r1")
    store.states.put([SavedState(FILES, "a", b"3")], "r2")
    assert (store.states.get(FILES, "a"), store.states.get(FILES, "a", "part")) == (b"3", b"2")
    assert (store.states.get(FILES, "b"), store.states.get("files:/other", "a")) == (None, None)


def test_an_empty_value_is_a_value(store: Store) -> None:
    store.states.put([SavedState(FILES, "a", b"")])
    assert store.states.get(FILES, "a") == b""


def test_the_cache_has_the_last_value_of_a_key(store: Store) -> None:
    store.cache.put("k", b"1")
    store.cache.put("k", b"2")
    assert (store.cache.get("k"), store.cache.get("other")) == (b"2", None)


@pytest.mark.parametrize("odd", ODD, ids=ascii)
def test_names_of_any_bytes_come_back(store: Store, odd: str) -> None:
    store.states.put([SavedState(f"files:{odd}", odd, b"value", odd)])
    store.cache.put(odd, b"value")
    assert (store.states.get(f"files:{odd}", odd, odd), store.cache.get(odd)) == (b"value", b"value")
