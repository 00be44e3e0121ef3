"""What of a tree a declaration looks at: pure functions from what a disk has to items that can be compared."""

from collections.abc import Iterable, Mapping, Set
from dataclasses import replace

from multiall_cli.agents.files.item import TOP, FileItem, Kind
from multiall_cli.agents.files.scanned import Records
from multiall_cli.domain.inventory import Delete, FilesDeclaration

FROM_SOURCE = "source"  # as `owner:` — owner and group by name as the source has them


def _mode(item: FileItem, declared: FilesDeclaration) -> int | None:
    if item.kind is Kind.FILE:
        return item.mode if declared.file_mode is None else declared.file_mode
    if item.kind is Kind.DIRECTORY:
        return item.mode if declared.dir_mode is None else declared.dir_mode
    return None


def _owner(item: FileItem, declared: FilesDeclaration) -> tuple[str | None, str | None]:
    if item.kind is Kind.HARDLINK:
        return None, None
    if declared.owner == FROM_SOURCE:
        return item.owner, item.group
    return declared.owner, declared.group


def _time(item: FileItem, declared: FilesDeclaration) -> int | None:
    """The time of change, where it is compared.

    That of a directory which holds more than the tree is not: whatever goes on in there changes it.
    """
    if not declared.times or item.kind is Kind.HARDLINK or item.found.holds_more:
        return None
    return item.found.mtime


def wanted(item: FileItem, declared: FilesDeclaration, digest: str = "") -> FileItem:
    """A source's entry as members are to have it."""
    owner, group = _owner(item, declared)
    mtime, xattrs = _time(item, declared), item.xattrs if declared.xattrs else None
    mode = _mode(item, declared)
    return FileItem(item.kind, item.size, digest, mode, owner, group, mtime, item.target, xattrs, item.found)


def observed(item: FileItem, declared: FilesDeclaration, digest: str = "") -> FileItem:
    """A member's entry, without what the declaration does not look at."""
    keeps_owner = declared.owner is not None and item.kind is not Kind.HARDLINK
    keeps_group = (declared.group is not None or declared.owner == FROM_SOURCE) and item.kind is not Kind.HARDLINK
    owner, group = item.owner if keeps_owner else None, item.group if keeps_group else None
    mtime, xattrs = _time(item, declared), item.xattrs if declared.xattrs else None
    return FileItem(item.kind, item.size, digest, item.mode, owner, group, mtime, item.target, xattrs, item.found)


def compared(there: FileItem, wanted: FileItem) -> FileItem:
    """The member's entry in the terms in which the wanted one is given.

    An owner that is wanted by number is compared by number, whatever the member calls it. The time of a directory is
    compared only where both sides are looked at.
    """
    owner = wanted.owner if wanted.owner == str(there.found.uid) and there.owner is not None else there.owner
    group = wanted.group if wanted.group == str(there.found.gid) and there.group is not None else there.group
    untimed = there.kind is Kind.DIRECTORY and (there.mtime is None or wanted.mtime is None)
    mtime = wanted.mtime if untimed else there.mtime
    if (owner, group, mtime) == (there.owner, there.group, there.mtime):
        return there
    return replace(there, owner=owner, group=group, mtime=mtime)


def unshared(
    differing: Mapping[str, FileItem | None], there: Mapping[str, FileItem], tree: Mapping[str, FileItem]
) -> dict[str, FileItem | None]:
    """The differing entries; of files with names outside the tree as if their content differed, with all their names.

    Such a file may be someone else's: it is replaced by a new one, its attributes are never changed in place.
    """
    foreign = {
        content_of(path, item)
        for path, item in differing.items()
        if item is not None and path in tree and item.kind in (Kind.FILE, Kind.HARDLINK) and item.found.shared
    }
    if not foreign:
        return dict(differing)
    names = {path: item for path, item in there.items() if path in tree and content_of(path, item) in foreign}
    return {**differing, **{path: replace(item, digest="") for path, item in names.items()}}


def top(item: FileItem, declared: FilesDeclaration, wanted: FileItem, *, is_owner: bool) -> FileItem:
    """The tree's own directory: what is compared of it. See `_owns_top`.

    A mode that nobody declared is not asked of a session that may not change it: to write in the tree is enough.
    """
    mode = item.mode if _owns_top(declared) else None
    return FileItem(
        Kind.DIRECTORY,
        mode=mode if is_owner or declared.dir_mode is not None else wanted.mode,
        owner=None if declared.owner in (None, FROM_SOURCE) else item.owner,
        group=None if declared.group is None else item.group,
        found=item.found,
    )


def wanted_top(item: FileItem, declared: FilesDeclaration) -> FileItem:
    owner = None if declared.owner == FROM_SOURCE else declared.owner
    mode = item.mode if declared.dir_mode is None else declared.dir_mode
    mode = mode if _owns_top(declared) else None
    return FileItem(Kind.DIRECTORY, mode=mode, owner=owner, group=declared.group, found=item.found)


def _owns_top(declared: FilesDeclaration) -> bool:
    """Whether the mode of the tree's own directory is the source's, or the declared one.

    A tree that deletes nothing shares its directory with others: a home must not be opened by accident.
    """
    return declared.dir_mode is not None or declared.delete is not Delete.NOTHING


def both_sides(
    found: Records, tree: Mapping[str, FileItem], paths: Set[str] | None
) -> tuple[Mapping[str, FileItem], Mapping[str, FileItem]]:
    """What is there and what is wanted of these paths (None: all), and of what hard links among them name first."""
    if paths is None:
        return found.items(), tree
    there, wanted = found.items(paths), _of(tree, {*paths, TOP})
    links = [item for side in (there, wanted) for item in side.values() if item.kind is Kind.HARDLINK]
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
    """The paths of a member that a plan is about: the source's, and those that may be deleted.

    All that the source lacks has to be in `found`; of the rest, what is to be compared.

    A directory that holds something which no scan takes in (excluded files, sockets) is never to be deleted, nor is
    one above it.
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
    """Where the content of an entry is: a hard link has that of the first name."""
    return item.target if item.kind is Kind.HARDLINK else path


def mark(path: str, item: FileItem, digests: Mapping[str, str]) -> str:
    """What is remembered of a deployed entry, to know later whether it still is what was deployed."""
    if item.kind is Kind.DIRECTORY:
        return "/"
    if item.kind is Kind.LINK:
        return f"→ {item.target}"
    return digests.get(content_of(path, item), "unread")


def _with_parents(paths: Iterable[str]) -> set[str]:
    """The paths and every directory above each."""
    out: set[str] = set()
    for path in paths:
        while path and path not in out:
            out.add(path)
            path = path.rpartition("/")[0]
    return out


def worth_hashing(
    found: Mapping[str, FileItem], source: Mapping[str, FileItem], deployed: Mapping[str, str]
) -> list[str]:
    """The member's files whose digest can decide something.

    Those of the size that is wanted; those that may be deleted only as long as they are what was deployed, by any of
    their names; and large ones that the source has under a name which is missing here (they may have been renamed).
    """
    leaves = deployed.keys() - source.keys()
    named = {content_of(path, item) for path, item in found.items() if path in leaves}
    new_sizes = {item.size for path, item in source.items() if path not in found and item.size >= WORTH_FINDING}
    return [
        path
        for path, item in found.items()
        if item.kind is Kind.FILE and _decides(path, item, source, named, new_sizes)
    ]


WORTH_FINDING = 1 << 16  # bytes; a smaller file is sent again quicker than its old name is looked for


def _decides(
    path: str,
    item: FileItem,
    source: Mapping[str, FileItem],
    named: Set[str],
    new_sizes: Set[int],
) -> bool:
    twin = source.get(path)
    if twin is not None and twin.kind is Kind.FILE and twin.size == item.size:
        return True
    return path in named or (twin is None and item.size in new_sizes)
