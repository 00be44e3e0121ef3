"""Scan of a tree over a session. The member sends only what changed since the last scan."""

import json
import re
import zlib
from collections.abc import Collection, Mapping
from dataclasses import replace

from multiall_cli.agents.files.scanned_tree import (
    MISSING,
    RootIdentity,
    ScannedTree,
    TreeRecords,
    garbage,
    inflate,
    names,
    number,
    paths_of,
    root_identity,
    special_of,
    top_of,
)
from multiall_cli.agents.files.wire import json_lines, read_bounded
from multiall_cli.domain.errors import MemberFault
from multiall_cli.domain.inventory import FilesDeclaration
from multiall_cli.ports.session import Session
from multiall_cli.ports.store import Cache
from multiall_cli.remote.formats import tree_records

MOST_PACKED = 1 << 29  # bytes of compressed records
MOST_WORDS = 500  # characters of a path or a reason that a member sends


def options_of(declared: FilesDeclaration) -> str:
    """Return the options that a scan depends on besides the tree, as part of a cache key."""
    return f"{zlib.crc32(repr((declared.exclude, declared.xattrs)).encode('utf-8', 'surrogateescape')):08x}"


def _key(server: str, root: str, declared: FilesDeclaration) -> str:
    return f"scan:{server}:{root}:{options_of(declared)}"


def look(
    session: Session,
    root: str,
    declared: FilesDeclaration,
    cache: Cache,
    identity: RootIdentity | None = None,
    most: int = 0,
) -> ScannedTree:
    """Scan the tree at `root`. Raises MemberFault if it is no directory, not fully readable, or garbage.

    `identity`: the expected identity of the root, None: any; `most`: how many entries it may have, 0: any number.
    """
    server = session.server.name
    before = recall_records(server, cache.get(_key(server, root, declared)))
    known = before.digest if before else ""
    exclude = list(declared.exclude)
    reply = session.call(
        "scan", root=root, exclude=exclude, xattrs=declared.xattrs, known=known, identity=listed(identity)
    )
    packed = read_bounded(server, "scan", reply, MOST_PACKED)
    told = reply.value()
    return _scanned(server, root, packed, told, before, most)


def look_at(
    session: Session,
    root: str,
    declared: FilesDeclaration,
    paths: Collection[str],
    identity: RootIdentity | None = None,
    run: str = "",
) -> ScannedTree:
    """Scan these paths only, without their descendants. `run`: the last run that may have changed the tree."""
    server = session.server.name
    lines = (json.dumps(path) + "\n" for path in paths)
    reply = session.call(
        "scan_paths", json_lines(lines), root=root, xattrs=declared.xattrs, identity=listed(identity), run=run
    )
    packed = read_bounded(server, "scan_paths", reply, MOST_PACKED)
    return _scanned(server, root, packed, reply.value(), None, len(paths) + 1)


def listed(identity: RootIdentity | None) -> list[int] | None:
    """Return a root's identity in the format of an operation."""
    return None if identity is None else list(identity)


def _scanned(
    server: str, root: str, packed: bytes, told: Mapping[str, object], before: TreeRecords | None, most: int
) -> ScannedTree:
    if told.get("root") == "missing":
        return replace(MISSING, run=_run_of(told.get("run")))
    _check(server, root, told)
    if most and number(told.get("entries")) > most:
        what = f"{root} has {number(told.get('entries')):,.0f} entries there; {most:,} are allowed beside this source"
        raise MemberFault(server, what, "exclude what is not part of the tree, or raise `entries:` of this declaration")
    users, groups = names(told.get("users")), names(told.get("groups"))
    if before and told.get("same") is True:
        found, size = before, int(number(told.get("entries")))
    else:
        found = TreeRecords(server, _digest(server, told), packed, users, groups, most)
        size = len(found.by_path)
    return ScannedTree(
        records=found,
        size=size,
        now=number(told.get("now")),
        top=top_of(told.get("top"), users, groups),
        before=before,
        identity=root_identity(told.get("identity")),
        run=_run_of(told.get("run")),
        special=special_of(told.get("special")),
        mounts=frozenset(paths_of(told.get("mounts"))),
        ours=paths_of(told.get("ours")),
        is_owner=_is_owner(told.get("uid"), told.get("top")),
    )


def _is_owner(uid: object, top: object) -> bool:
    """Return whether the session's user may change the mode of the tree's root directory."""
    return uid == 0 or (isinstance(top, list) and len(top) == 4 and top[1] == uid)


def _run_of(told: object) -> str:
    """Return the id of the last run that changed a tree; '' if the member knows of none."""
    run = told.get("run") if isinstance(told, dict) else None
    return run if isinstance(run, str) and len(run) <= MOST_WORDS else ""


def _digest(server: str, told: Mapping[str, object]) -> str:
    digest = told.get("digest")
    if told.get("same") is True or not isinstance(digest, str) or not re.fullmatch("[0-9a-f]{64}", digest):
        raise garbage(server, "no digest of its records")
    return digest


def keep(found: ScannedTree, root: str, declared: FilesDeclaration, cache: Cache) -> None:
    """Cache a scan. Raises MemberFault if it is garbage, which must not enter the cache."""
    records = found.records
    if records is found.before:
        return
    found.check()
    head = json.dumps([records.digest, dict(records.users), dict(records.groups)]).encode("ascii")
    value = len(head).to_bytes(4, "big") + head + records.packed
    cache.put(_key(records.server, root, declared), zlib.crc32(value).to_bytes(4, "big") + value)


def recall_records(server: str, value: bytes | None) -> TreeRecords | None:
    """Return the last scan; None if it is missing, damaged or in another format, then a full scan follows."""
    if value is None or zlib.crc32(value[4:]).to_bytes(4, "big") != value[:4]:
        return None
    start = 8 + int.from_bytes(value[4:8], "big")
    try:
        digest, users, groups = json.loads(value[8:start])
        if not (isinstance(users, dict) and isinstance(groups, dict)):
            return None
        found = TreeRecords(
            server, digest if isinstance(digest, str) else "", value[start:], names(users), names(groups)
        )
        # checks the first record only: a check of all would slow each run too much
        next(iter(tree_records.unpack(inflate(server, [found.packed]))), None)
    except (ValueError, TypeError, RecursionError, MemberFault, tree_records.BadRecord):
        return None
    return found if re.fullmatch("[0-9a-f]{64}", found.digest) else None


def _check(server: str, root: str, told: Mapping[str, object]) -> None:
    """Raise MemberFault that names the unreadable paths and the reason."""
    if told.get("root") != "directory":
        raise MemberFault(server, f"{root} is not a directory", "move what is there, or name another path")
    problems = told.get("problems")
    if isinstance(problems, list) and problems:
        first = problems[0]
        path, why = map(str, first) if isinstance(first, list) and len(first) == 2 else (str(first), "no reason given")
        more = f" and {number(told.get('problem_count')):.0f} in all" if len(problems) > 1 else ""
        what = f"{path[:MOST_WORDS]!r} below {root} cannot be read ({why[:MOST_WORDS]}){more}"
        raise MemberFault(server, what, "give the session's user the right to, `become: sudo`, or exclude it")
