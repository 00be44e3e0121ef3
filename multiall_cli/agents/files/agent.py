"""File sync agent (FS-SA): syncs a file tree of a pool's members with its source. Only differences travel."""

import json
import zlib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import field, replace
from hashlib import sha256
from typing import ClassVar, Self

from multiall_cli.agents.files import comparison, remarks
from multiall_cli.agents.files.comparison_cache import CachedComparison
from multiall_cli.agents.files.content import Content, split_hashes
from multiall_cli.agents.files.digests import FRESH, digests, is_settled, remember
from multiall_cli.agents.files.item import TOP, FileItem, FileKind
from multiall_cli.agents.files.scan_client import keep, listed, look, look_at
from multiall_cli.agents.files.scanned_tree import RootIdentity, ScannedTree, root_identity
from multiall_cli.agents.files.source import Source, read_source
from multiall_cli.agents.files.stream import Stream, commit_order, large_updates, transfers
from multiall_cli.agents.files.texts import all_blocks, is_readable, text_of
from multiall_cli.agents.files.wire import MOST_HASHES, json_lines, read_bounded
from multiall_cli.domain.change import Change, Outcome, Overlay, Snapshot
from multiall_cli.domain.dataclass import dataclass
from multiall_cli.domain.inventory import ADMIN, After, Delete, FilesDeclaration, GuardLimit, Server
from multiall_cli.domain.plan import AgentPlan, Alarm, Desired
from multiall_cli.domain.rule_source import NOWHERE
from multiall_cli.domain.run import Entry
from multiall_cli.domain.scope import Subject
from multiall_cli.planning import guard
from multiall_cli.ports.agent import Known, Moment, PoolView, Ports, StateInput
from multiall_cli.ports.session import Session
from multiall_cli.ports.store import Store
from multiall_cli.remote.formats.patterns import Patterns


@dataclass(frozen=True, slots=True)
class ObservedTree:
    """Observed facts of a server's tree: its root, the last run that changed it, and the limits of a plan."""

    identity: RootIdentity | None = None
    run: str = ""
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class FileTree:
    """Declared file tree. After `read` it has its source; all methods except `observe` and `apply` are pure.

    `root`: the tree's path at the source; `members`: the servers that have it; `by`: who changes it, and from where;
    `is_copy`: a one-off copy, which leaves nothing beside the tree; `limits`: guard limits by name; `is_guarded`:
    whether guards apply; `fresh`: nanoseconds within which a change may go unseen; `looks`: the observation of each
    server's tree, by server name, so that later operations act on that tree and no other.
    """

    declared: FilesDeclaration
    source: Server
    root: str
    store: Store
    members: tuple[Server, ...] = ()
    limits: Mapping[str, GuardLimit] = field(default_factory=dict)
    was_read: Source | None = None
    by: str = ""
    is_copy: bool = False
    is_guarded: bool = True
    fresh: int = FRESH
    looks: dict[str, ObservedTree] = field(default_factory=dict, compare=False, repr=False)

    kind: ClassVar[str] = "files"
    attempts: ClassVar[int] = 1

    @property
    def name(self) -> str:
        return f"{self.kind}:{self.declared.path}"

    # --- the source ---------------------------------------------------------------------------------------

    @property
    def sources(self) -> tuple[Server, ...]:
        return (self.source,)

    def read(self, sessions: Mapping[str, Session]) -> Self:
        """Scan the source once. Raises Refused if it is missing, empty or not fully readable."""
        session = sessions[self.source.name]
        source = read_source(session, self.name, self.root, self.declared, self.store.cache, self.fresh)
        return replace(self, was_read=source)

    def release(self) -> None:
        if self.was_read is not None:
            self.was_read.content.close()

    @property
    def tree(self) -> Snapshot[FileItem]:
        """Return the source's tree, which every member should have."""
        return self._source.tree

    @property
    def _source(self) -> Source:
        if self.was_read is None:
            raise RuntimeError(f"{self.name} is used before its source was read")
        return self.was_read

    # --- what every agent implements ---------------------------------------------------------------------------

    def subjects(self) -> list[Subject]:
        """Return every member except the source."""
        return [Subject(each.name, each.name) for each in self.members if each.name != self.source.name]

    def open(self, subject: Subject, known: Known, ports: Ports) -> "TreeSession":
        server = next(each for each in self.members if each.name == subject.name)
        return TreeSession(self, ports.session(server))

    def desired(self, comparison: PoolView[FileItem]) -> dict[str, Desired[FileItem]]:
        """Return the source's tree, the same for every member."""
        return {name: Desired(self._source.tree, notes=self._remarks(name)) for name in comparison.observed}

    def alarms(self, part: AgentPlan[FileItem], known: Known, recent: Callable[[], Iterable[Entry]]) -> list[Alarm]:
        return guard.alarms(part, self.limits) if self.is_guarded else []

    # --- one member -------------------------------------------------------------------------------------------

    def observe(self, session: Session, only: Collection[str] | None = None) -> Snapshot[FileItem]:
        """Return the part of the server's tree that this declaration covers.

        Compares only entries that changed since the last observation, on the server or at the source. If the tree is as
        desired, returns the desired snapshot object itself.
        """
        tree, server = self._source.tree, session.server.name
        before = self.looks.get(server) if only is not None else None
        if only is not None and not any(_is_hard_link(tree.get(path)) for path in only):
            return self._observe_only(session, frozenset(only), before)
        found = look(
            session,
            self.declared.path,
            self.declared,
            self.store.cache,
            before.identity if before else None,
            self._most,
        )
        if only is None:
            on_both = remarks.on_source(self._source.scan) + remarks.on_member(found, tree)
            self.looks[server] = ObservedTree(found.identity, found.run, on_both)
        if found.missing:
            return {}
        key = f"judged:{session.server.name}:{self.name}"
        paths = self._doubtful(found, CachedComparison.recall(key, self.store.cache))
        if paths is not None and not paths:
            return tree
        differing, left_open = self._compare(session, found, paths)
        if only is None:
            self._remark(server, remarks.on_directories(found, tree, differing))
        keep(found, self.declared.path, self.declared, self.store.cache)
        CachedComparison(self._settings_digest, self._source.scan.records.digest, found.records.digest, left_open).keep(
            key, self.store.cache
        )
        return Overlay(tree, differing) if differing else tree

    def _observe_only(self, session: Session, only: Set[str], before: ObservedTree | None) -> Snapshot[FileItem]:
        """Observe only these paths. Not for hard links: only a full scan shows which name of a file comes first."""
        identity, run = (before.identity, before.run) if before else (None, "")
        found = look_at(session, self.declared.path, self.declared, only - {TOP}, identity, run)
        if found.missing:
            return {}
        differing, _ = self._compare(session, found, only)
        return Overlay(self._source.tree, differing)

    @property
    def _settings_digest(self) -> str:
        """Return a hash of all settings of the declaration."""
        declared = replace(self.declared, origin=NOWHERE, where={}, pools=())
        return sha256(repr(declared).encode("utf-8", "surrogateescape")).hexdigest()

    def _doubtful(self, found: ScannedTree, last: CachedComparison | None) -> Set[str] | None:
        """Return the paths that may differ from the source; None: any path may."""
        if last is None or last.wanted != self._settings_digest:
            return None
        source, member = self._source.scan, found
        if (source.records.digest, member.records.digest) == (last.source, last.member):
            return last.open
        there, here = source.since(last.source), member.since(last.member)
        return None if there is None or here is None else last.open | there | here | {TOP}

    def _compare(
        self, session: Session, found: ScannedTree, paths: Set[str] | None
    ) -> tuple[Mapping[str, FileItem | None], Set[str]]:
        """Return which of these paths differ (None: absent), and the paths to compare again next time."""
        tree, unsettled = self._source.tree, self._source.unsettled
        entries, wanted = comparison.both_sides(found.records, tree, paths)
        deployed = recall_deployed(self.store.states.get(self.name, session.server.name))
        worth = comparison.worth_hashing(entries, wanted, deployed)
        known = digests(
            session,
            self.declared.path,
            entries,
            worth,
            found.now,
            self.store.cache,
            all_of_it=paths is None,
            identity=found.identity,
            fresh=self.fresh,
        )
        concerned = comparison.concerned(entries, wanted, deployed, known, self.declared.delete)
        there = {TOP: comparison.top(found.top, self.declared, tree[TOP], is_owner=found.is_owner)}
        for path in concerned:
            item = entries[path]
            there[path] = comparison.observed(item, self.declared, known.get(comparison.content_of(path, item), ""))
        there = {
            path: comparison.compared(item, wanted[path]) if path in wanted else item for path, item in there.items()
        }
        unlike = {path: item for path, item in there.items() if wanted.get(path) != item}
        differing = comparison.unshared(unlike, there, wanted)
        differing |= {path: None for path in wanted if path not in there}
        extra = () if self.declared.delete is Delete.NOTHING else (path for path in entries if path not in wanted)
        fresh = (path for path, item in entries.items() if not is_settled(item, found.now, self.fresh))
        return differing, {*unsettled, *differing, *extra, *fresh}

    def apply(self, session: Session, changes: Sequence[Change[FileItem]], run: str) -> Iterator[Outcome[FileItem]]:
        """Apply all changes in one stream: stage all new content durably, then move it into place path by path."""
        tree, content = self._source.tree, self._source.content
        ordered = commit_order(changes)
        large = [change.key for change in large_updates(ordered)]
        server = session.server.name
        there, names = self._prepare(session, large, run)
        sent = transfers(ordered, names, dict(zip(large, there, strict=True)), content.hashes(large) if large else {})
        content.want({each.change.key: (tree[each.change.key], each.blocks) for each in sent if each.blocks})
        stream = Stream(sent, content, tree, shares_top=self._shares_top)
        look = self.looks[server]
        answer = session.call(
            "apply",
            stream.payload(),
            root=self.declared.path,
            run=run,
            trash=self.declared.trash,
            identity=listed(look.identity),
            alone=self._is_alone,
        )
        told = read_bounded(server, "apply", answer, MOST_TOLD * (len(sent) + 1))
        answer.value()
        outcomes = list(stream.outcomes(told))
        remember(server, self.declared.path, stream.written, self.store.cache, self.fresh)
        return iter(outcomes)

    def _prepare(self, session: Session, large: Sequence[str], run: str) -> tuple[list[list[bytes]], list[str]]:
        """Return the block hashes of the member's large files, and the names of files that an interrupted run staged.

        From here on the tree belongs to this run: any other run that observed it before must observe it again.
        """
        server, declared = session.server.name, self.declared
        look = self.looks.get(server, ObservedTree())
        reply = session.call(
            "prepare",
            json_lines(json.dumps(path) + "\n" for path in large),
            root=declared.path,
            trash=declared.trash,
            identity=listed(look.identity),
            last=look.run if self._is_alone else None,
            run=run,
            by=self.by,
        )
        there = split_hashes(read_bounded(server, "prepare", reply, MOST_HASHES), len(large), server)
        told = reply.value()
        staged = told.get("staged")
        noted = run if self._is_alone else ""
        self.looks[server] = replace(look, identity=root_identity(told.get("identity")), run=noted)
        return there, [str(name) for name in staged] if isinstance(staged, list) else []

    @property
    def _is_alone(self) -> bool:
        """Return whether only one run at a time may change the tree, from its observation to its verification."""
        return not (self.is_copy or self._shares_top)

    @property
    def _most(self) -> int:
        """Return how many entries a member's tree may have. The bound limits the cost of a false answer."""
        return self.declared.entries or max(FEWEST_ALLOWED, TIMES_ALLOWED * len(self._source.tree))

    @property
    def _shares_top(self) -> bool:
        """Return whether the tree shares its root directory with other entries; then the root's time is not set."""
        return "/*" in self.declared.exclude

    def _remark(self, server: str, more: tuple[str, ...]) -> None:
        look = self.looks[server]
        self.looks[server] = replace(look, remarks=look.remarks + more)

    # --- optional parts of an agent --------------------------------------------------------------------------

    def _remarks(self, server: str) -> tuple[str, ...]:
        """Return the limits of the server's plan, each with its fix. Empty before the first observation."""
        look = self.looks.get(server)
        return look.remarks if look is not None else ()

    @property
    def declared_handlers(self) -> Sequence[After]:
        return self.declared.after

    def handlers(self, changes: Sequence[Change[FileItem]]) -> Sequence[After]:
        """Return the handlers that watch one of the changed paths, in the order of declaration."""
        return [action for action in self.declared.after if _concerns(action, changes)]

    def texts(self, session: Session, changes: Sequence[Change[FileItem]]) -> Iterator[tuple[str, bytes, bytes]]:
        """Yield (path, content on the member, content at the source) of each changed file that is not too large."""
        tree, content = self._source.tree, self._source.content
        chosen = [change for change in changes if is_readable(change)]
        wanted = {each.key: all_blocks(tree[each.key]) for each in chosen if each.after is not None}
        content.want(wanted)
        look = self.looks.get(session.server.name)
        there = Content(session, self.declared.path, look.identity if look else None)
        try:
            found = {each.key: all_blocks(each.before) for each in chosen if each.before is not None}
            there.want(found)
            for each in chosen:
                yield each.key, text_of(there, each.key, found), text_of(content, each.key, wanted)
        finally:
            there.close()

    def state(self, source: StateInput[FileItem]) -> Mapping[str, bytes]:
        """Return a mark of each deployed path, for `delete: deployed`.

        Until all is as desired, earlier deployed entries may still be on the member, so their marks stay.
        """
        if self.declared.delete is not Delete.DEPLOYED or source.moment not in (Moment.APPLIED, Moment.COMPLETE):
            return {}
        wanted = source.desired.snapshot
        digests = {path: item.digest for path, item in wanted.items()}
        told = {path: comparison.mark(path, item, digests) for path, item in wanted.items() if path != TOP}
        saved = source.known.state(source.subject.name, "")
        before = {} if source.moment is Moment.COMPLETE else recall_deployed(saved)
        return {"": zlib.compress(json.dumps({**before, **told}).encode("ascii"), 1)}


class TreeSession:
    """Session of a tree on one member."""

    def __init__(self, tree: FileTree, session: Session) -> None:
        self._tree, self._session = tree, session

    def observe(self, only: Collection[str] | None = None) -> Snapshot[FileItem]:
        return self._tree.observe(self._session, only)

    def apply(self, changes: Sequence[Change[FileItem]], run: str) -> Iterator[Outcome[FileItem]]:
        return self._tree.apply(self._session, changes, run)

    def texts(self, changes: Sequence[Change[FileItem]]) -> Iterator[tuple[str, bytes, bytes]]:
        return self._tree.texts(self._session, changes)

    def close(self) -> None:
        """Do nothing: the engine owns the session."""


def file_tree(
    declared: FilesDeclaration,
    servers: Mapping[str, Server],
    store: Store,
    by: str = "",
    members: Sequence[Server] = (),
    limits: Mapping[str, GuardLimit] | None = None,
    *,
    is_copy: bool = False,
    is_guarded: bool = True,
) -> FileTree:
    """Return the agent of a declaration. Its source is a folder of the admin host, or the same path on a member."""
    source = servers[declared.source] if declared.from_member else ADMIN
    root = declared.path if declared.from_member else declared.source
    tree = FileTree(declared, source, root, store, tuple(members), limits or {}, by=by)
    return replace(tree, is_copy=is_copy, is_guarded=is_guarded)


# entries of a member's tree: at least this many, and this many times the source's
FEWEST_ALLOWED, TIMES_ALLOWED = 50_000, 4

MOST_TOLD = 1 << 12  # bytes that a member may send per change


def _is_hard_link(item: FileItem | None) -> bool:
    return item is not None and item.kind is FileKind.HARDLINK


def _concerns(action: After, changes: Sequence[Change[FileItem]]) -> bool:
    if not action.watch:
        return bool(changes)
    watched = Patterns(action.watch)
    return any(watched.match_below(change.key.encode("utf-8", "surrogateescape"), False) for change in changes)


def recall_deployed(packed: bytes | None) -> Mapping[str, str]:
    """Return the marks that the last sync saved, by path."""
    if packed is None:
        return {}
    try:
        told = json.loads(zlib.decompress(packed))
    except (ValueError, RecursionError, zlib.error):
        return {}  # an unknown format: no deployed entry is known, so nothing is deleted for it
    return told if isinstance(told, dict) else {}
