"""Which members hold which declarations."""

from dataclasses import replace

import pytest

from multiall_cli.domain.errors import Refused, UsageError
from multiall_cli.domain.inventory import FilesDeclaration, Inventory, Pool, Server
from multiall_cli.planning.assignments import assign, chosen_members

TREE = FilesDeclaration("/srv", "/source")


def _inventory(**pools: Pool) -> Inventory:
    return Inventory({name: Server(name, name) for name in ("a", "b", "c")}, pools)


def _pool(name: str, *members: str, priority: int = 0, **changed: str) -> Pool:
    return Pool(name, members, priority, (replace(TREE, pools=(name,), **changed),))  # type: ignore[arg-type]


def test_a_declaration_has_the_members_of_its_pool() -> None:
    """Those that were chosen, in the order of the pool."""
    pool = _pool("web", "a", "b", "c")
    names = {
        d.path: [s.name for s in held]
        for d, held in assign(_inventory(web=pool), pool, chosen_members(pool, {"c", "a"})).items()
    }
    assert names == {"/srv": ["a", "c"]}


def test_where_another_pool_wins_there_is_nothing_to_do() -> None:
    """Its own members keep the declaration."""
    web, top = _pool("web", "a", "b"), _pool("top", "b", priority=1, source="/other")
    ((declared, held),) = assign(_inventory(web=web, top=top), web, web.members).items()
    assert (declared.source, [server.name for server in held]) == ("/source", ["a"])


def test_pools_that_contradict_each_other_are_refused() -> None:
    """On a member that was chosen."""
    web, other = _pool("web", "a"), _pool("other", "a", source="/other")
    with pytest.raises(Refused, match="/srv"):
        assign(_inventory(web=web, other=other), web, web.members)


@pytest.mark.parametrize(
    ("pool", "chosen", "words"),
    [(_pool("web", "a"), {"b"}, "b means no member of pool web"), (Pool("web", ("a",)), None, "nothing to sync")],
)
def test_nothing_to_do_is_told(pool: Pool, chosen: set[str] | None, words: str) -> None:
    """An empty choice and an empty declaration are faults of the line, not successes."""
    with pytest.raises(UsageError, match=words):
        assign(_inventory(web=pool), pool, chosen_members(pool, chosen, "b"))
