"""Declared view of a tree: pure functions from disk entries to items that can be compared."""

from collections.abc import Iterable, Mapping, Set
from dataclasses import replace

from multiall_cli.agents.files.item import TOP, FileItem, FileKind
from multiall_cli.agents.files.scanned_tree import TreeRecords
from multiall_cli.domain.inventory import Delete, FilesDeclaration

FROM_SOURCE = "source"  # as `owner:` — owner and group by name as at the source


def _mode(item: FileItem, declared: FilesDeclaration) -> int | None:
    if item.kind is FileKind.FILE:
        return item.mode if declared.file_mode is None else declared.file_mode
    if item.kind is FileKind.DIRECTORY:
        return item.mode if declared.dir_mode is None else declared.dir_mode
    return None


def _owner(item: FileItem, declared: FilesDeclaration) -> tuple[str | None, str | None]:
    if item.kind is FileKind.HARDLINK:
        return None, None
    if declared.owner == FROM_SOURCE:
        return item.owner, item.group
    return declared.owner, declared.group


def _time(item: FileItem, declared: FilesDeclaration) -> int | None:
    """Return the time of change if it is compared.

    A directory with more entries than the tree has none: any change of those entries would change it.
    """
    if not declared.times or item.kind is FileKind.HARDLINK or item.found.holds_more:
        return None
    return item.found.mtime


def wanted(item: FileItem, declared: FilesDeclaration, digest: str = "") -> FileItem:
    """Return a source's entry as members should have it."""
    owner, group = _owner(item, declared)
    mtime, xattrs = _time(item, declared), item.xattrs if declared.xattrs else None
    mode = _mode(item, declared)
    return FileItem(item.kind, item.size, digest, mode, owner, group, mtime, item.target, xattrs, item.found)


def observed(item: FileItem, declared: FilesDeclaration, digest: str = "") -> FileItem:
    """Return a member's entry, without attributes that the declaration does not cover."""
    keeps_owner = declared.owner is not None and item.kind is not FileKind.HARDLINK
    keeps_group = (declared.group is not None or declared.owner == FROM_SOURCE) and item.kind is not FileKind.HARDLINK
    owner, group = item.owner if keeps_owner else None, item.group if keeps_group else None
    mtime, xattrs = _time(item, declared), item.xattrs if declared.xattrs else None
    return FileItem(item.kind, item.size, digest, item.mode, owner, group, mtime, item.target, xattrs, item.found)


def compared(there: FileItem, wanted: FileItem) -> FileItem:
    """Return the member's entry in the terms of the desired one.

    An owner that is declared by number is compared by number, whatever its name on the member. The time of a directory
    is compared only if both sides have one.
    """
    owner = wanted.owner if wanted.owner == str(there.found.uid) and there.owner is not None else there.owner
    group = wanted.group if wanted.group == str(there.found.gid) and there.group is not None else there.group
    untimed = there.kind is FileKind.DIRECTORY and (there.mtime is None or wanted.mtime is None)
    mtime = wanted.mtime if untimed else there.mtime
    if (owner, group, mtime) == (there.owner, there.group, there.mtime):
        return there
    return replace(there, owner=owner, group=group, mtime=mtime)


def unshared(
    differing: Mapping[str, FileItem | None], there: Mapping[str, FileItem], tree: Mapping[str, FileItem]
) -> dict[str, FileItem | None]:
    """Return the differing entries. Files with names outside the tree count as different, with all their names.

    Such a file may belong to another tree. It is replaced by a new one, and its attributes are never changed in place.
    """
    foreign = {
        content_of(path, item)
        for path, item in differing.items()
        if item is not None and path in tree and item.kind in (FileKind.FILE, FileKind.HARDLINK) and item.found.shared
    }
    if not foreign:
        return dict(differing)
    names = {path: item for path, item in there.items() if path in tree and content_of(path, item) in foreign}
    return {**differing, **{path: replace(item, digest="") for path, item in names.items()}}


def top(item: FileItem, declared: FilesDeclaration, wanted: FileItem, *, is_owner: bool) -> FileItem:
    """Return the compared attributes of the tree's root directory. See `_owns_top`.

    An undeclared mode is not compared if the session may not change it: write access to the tree is enough.
    """
    mode = item.mode if _owns_top(declared) else None
    return FileItem(
        FileKind.DIRECTORY,
        mode=mode if is_owner or declared.dir_mode is not None else wanted.mode,
        owner=None if declared.owner in (None, FROM_SOURCE) else item.owner,
        group=None if declared.group is None else item.group,
        found=item.found,
    )


def wanted_top(item: FileItem, declared: FilesDeclaration) -> FileItem:
    owner = None if declared.owner == FROM_SOURCE else declared.owner
    mode = item.mode if declared.dir_mode is None else declared.dir_mode
    mode = mode if _owns_top(declared) else None
    return FileItem(FileKind.DIRECTORY, mode=mode, owner=owner, group=declared.group, found=item.found)


def _owns_top(declared: FilesDeclaration) -> bool:
    """Return whether the root directory's mode is set, from the source or the declaration.

    A tree that deletes nothing shares its directory with others: a home directory must not be opened by accident.
    """
    return declared.dir_mode is not None or declared.delete is not Delete.NOTHING


def both_sides(
    found: TreeRecords, tree: Mapping[str, FileItem], paths: Set[str] | None
) -> tuple[Mapping[str, FileItem], Mapping[str, FileItem]]:
    """Return both sides of these paths (None: all), and of the first names of their hard links."""
    if paths is None:
        return found.items(), tree
    there, wanted = found.items(paths), _of(tree, {*paths, TOP})
    links = [item for side in (there, wanted) for item in side.values() if item.kind is FileKind.HARDLINK]
    named = {item.target for item in links} - paths
    return {**there, **found.items(named)}, {**wanted, **_of(tree, named)}


def _of(tree: Mapping[str, FileItem], paths: Iterable[str]) -> dict[str, FileItem]:
    return {path: tree[path] for path in paths if path in tree}


def concerned(
    found: Mapping[str, FileItem],
    source: Mapping[str, FileItem],
    deployed: Mapping[str, str],
    digests: Mapping[str, str],
    delete: Delete,
) -> Set[str]:
    """Return the paths of a member that a plan covers: the source's, and those that may be deleted.

    `found` must contain every path that the source lacks; of the rest, the paths to compare.

    A directory with unscanned entries (excluded files, sockets) is never deleted, nor are its parents.
    """
    kept = {path for path in found if path in source}
    if delete is Delete.NOTHING:
        return kept
    stays = _with_parents(path for path, item in found.items() if item.found.holds_more)
    extra = {path for path in found if path not in source and path not in stays}
    if delete is Delete.DEPLOYED:
        extra = {path for path in extra if deployed.get(path) == mark(path, found[path], digests)}
        strangers = _with_parents(path for path in found if path not in source and path not in extra)
        extra -= strangers
    return kept | extra


def content_of(path: str, item: FileItem) -> str:
    """Return the path that has an entry's content: for a hard link, its first name."""
    return item.target if item.kind is FileKind.HARDLINK else path


def mark(path: str, item: FileItem, digests: Mapping[str, str]) -> str:
    """Return the saved mark of a deployed entry, which shows later whether it is unchanged."""
    if item.kind is FileKind.DIRECTORY:
        return "/"
    if item.kind is FileKind.LINK:
        return f"→ {item.target}"
    return digests.get(content_of(path, item), "unread")


def _with_parents(paths: Iterable[str]) -> set[str]:
    """Return the paths and every directory above each."""
    out: set[str] = set()
    for path in paths:
        while path and path not in out:
            out.add(path)
            path = path.rpartition("/")[0]
    return out


def worth_hashing(
    found: Mapping[str, FileItem], source: Mapping[str, FileItem], deployed: Mapping[str, str]
) -> list[str]:
    """Return the member's files whose digest can affect the plan.

    These are files of the desired size; files that may be deleted only while unchanged since their deployment, by any
    of their names; and large files that the source has under a name that is missing here (possible renames).
    """
    leaves = deployed.keys() - source.keys()
    named = {content_of(path, item) for path, item in found.items() if path in leaves}
    new_sizes = {item.size for path, item in source.items() if path not in found and item.size >= WORTH_FINDING}
    return [
        path
        for path, item in found.items()
        if item.kind is FileKind.FILE and _decides(path, item, source, named, new_sizes)
    ]


WORTH_FINDING = 1 << 16  # bytes; a smaller file is sent again faster than its old name is found


def _decides(
    path: str,
    item: FileItem,
    source: Mapping[str, FileItem],
    named: Set[str],
    new_sizes: Set[int],
) -> bool:
    twin = source.get(path)
    if twin is not None and twin.kind is FileKind.FILE and twin.size == item.size:
        return True
    return path in named or (twin is None and item.size in new_sizes)
