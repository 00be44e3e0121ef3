"""Notes in a plan on entries that a sync cannot handle: special files, mounts, directories with unscanned entries."""

from collections.abc import Mapping

from multiall_cli.agents.files.item import FileItem, FileKind
from multiall_cli.agents.files.scanned_tree import ScannedTree

MOST_NAMED = 3  # paths of one kind that are named one by one


def on_source(source: ScannedTree) -> tuple[str, ...]:
    """Return the entries of the source that are not copied."""
    by_kind: dict[str, list[str]] = {}
    for path, kind in source.special.items():
        by_kind.setdefault(kind, []).append(path)
    return tuple(
        f"{_named(paths)} of the source: a {kind} is not copied; exclude it to say that this is meant"
        for kind, paths in sorted(by_kind.items())
    )


def on_member(member: ScannedTree, tree: Mapping[str, FileItem]) -> tuple[str, ...]:
    """Return the entries of a member that are in the way of the desired tree."""
    special = [
        f"{path}: a {kind} is there, where a {tree[path].kind.value} belongs; remove it, or exclude it"
        for path, kind in member.special.items()
        if path in tree
    ]
    mounts = [
        f"{path}: is a mount point, where a {tree[path].kind.value} belongs; unmount it, or exclude it"
        for path in sorted(member.mounts)
        if path in tree and tree[path].kind is not FileKind.DIRECTORY
    ]
    return (*special, *mounts)


def on_directories(
    member: ScannedTree, tree: Mapping[str, FileItem], differing: Mapping[str, FileItem | None]
) -> tuple[str, ...]:
    """Return the directories to be replaced by another kind although they contain unscanned entries, at any depth."""
    ending = [
        path
        for path, item in differing.items()
        if item is not None
        and item.kind is FileKind.DIRECTORY
        and path in tree
        and tree[path].kind is not FileKind.DIRECTORY
    ]
    full = member.records.full_directories() if ending else ()
    return tuple(
        f"{path}: a directory that holds excluded or special entries is to become a {tree[path].kind.value}; "
        "move them away, or exclude it"
        for path in sorted(ending)
        if any(each == path or each.startswith(f"{path}/") for each in full)
    )


def _named(paths: list[str]) -> str:
    more = f" and {len(paths) - MOST_NAMED} more" if len(paths) > MOST_NAMED else ""
    return ", ".join(paths[:MOST_NAMED]) + more
