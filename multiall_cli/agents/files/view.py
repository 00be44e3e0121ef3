"""What of a tree a declaration looks at: pure functions from what a disk has to items that can be compared."""

from collections.abc import Iterable, Mapping, Set

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


def wanted(item: FileItem, declared: FilesDeclaration, digest: str = "") -> FileItem:
    """A source's entry as members are to have it."""
    owner, group = _owner(item, declared)
    timed = declared.times and item.kind in (Kind.FILE, Kind.LINK)
    mtime, xattrs = item.found.mtime if timed else None, item.xattrs if declared.xattrs else None
    mode = _mode(item, declared)
    return FileItem(item.kind, item.size, digest, mode, owner, group, mtime, item.target, xattrs, item.found)


def observed(item: FileItem, declared: FilesDeclaration, digest: str = "") -> FileItem:
    """A member's entry, without what the declaration does not look at."""
    keeps_owner = declared.owner is not None and item.kind is not Kind.HARDLINK
    keeps_group = (declared.group is not None or declared.owner == FROM_SOURCE) and item.kind is not Kind.HARDLINK
    timed = declared.times and item.kind in (Kind.FILE, Kind.LINK)
    owner, group = item.owner if keeps_owner else None, item.group if keeps_group else None
    mtime, xattrs = item.found.mtime if timed else None, item.xattrs if declared.xattrs else None
    return FileItem(item.kind, item.size, digest, item.mode, owner, group, mtime, item.target, xattrs, item.found)


def top(item: FileItem, declared: FilesDeclaration) -> FileItem:
    """The tree's own directory: only what is declared of it is compared, so that a home is not opened by accident."""
    return FileItem(
        Kind.DIRECTORY,
        mode=None if declared.dir_mode is None else item.mode,
        owner=None if declared.owner in (None, FROM_SOURCE) else item.owner,
        group=None if declared.group is None else item.group,
        found=item.found,
    )


def wanted_top(item: FileItem, declared: FilesDeclaration) -> FileItem:
    owner = None if declared.owner == FROM_SOURCE else declared.owner
    return FileItem(Kind.DIRECTORY, mode=declared.dir_mode, owner=owner, group=declared.group, found=item.found)


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
