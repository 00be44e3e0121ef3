"""Assignment of a pool's declarations to its members."""

from collections.abc import Mapping, Sequence, Set

from multiall_cli.domain.errors import Refused, UsageError
from multiall_cli.domain.inventory import FilesDeclaration, Inventory, Pool, Server
from multiall_cli.planning.merge import effective_files


def chosen_members(pool: Pool, chosen: Set[str] | None, target: str = "") -> tuple[str, ...]:
    """Return a pool's members among the chosen servers (None: all). Raises UsageError if there are none.

    `target`: the expression that chose them.
    """
    members = tuple(name for name in pool.members if chosen is None or name in chosen)
    if not members:
        what = f"{target} means no member of pool {pool.name}"
        raise UsageError("target", what, f"`multiall pool show {pool.name}` shows its members")
    return members


def assign(inventory: Inventory, pool: Pool, members: Sequence[str]) -> Mapping[FilesDeclaration, tuple[Server, ...]]:
    """Return each declaration with its members, in the order of the inventory.

    Raises Refused if pools contradict each other on one of them, UsageError if nothing is declared.
    """
    holders: dict[FilesDeclaration, list[Server]] = {}
    for name in members:
        for declared in _of_pool(inventory, pool, name):
            holders.setdefault(declared, []).append(inventory.servers[name])
    if not holders:
        raise UsageError(f"pool {pool.name}", "it declares nothing to sync", f"add `files:` to it at {pool.origin}")
    return {declared: tuple(servers) for declared, servers in holders.items()}


def _of_pool(inventory: Inventory, pool: Pool, server: str) -> list[FilesDeclaration]:
    """Return this pool's declarations on a server. A claim of another pool with a higher priority may win."""
    declarations, conflicts = effective_files(inventory, server)
    if conflicts:
        more = f" (and {len(conflicts) - 1} more)" if len(conflicts) > 1 else ""
        raise Refused(conflicts[0].subject, conflicts[0].what + more, conflicts[0].todo)
    return [each for each in declarations if pool.name in each.pools]
