"""Zones that lie in files on their primaries: read, checked, pushed to all of them, reloaded, and queried."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, closing, suppress
from hashlib import sha256
from pathlib import Path

import dns.exception
import dns.zone

from multiall_cli.adapters.dns.servers import content_of
from multiall_cli.domain.change import Change
from multiall_cli.domain.errors import MemberFault, Unreachable, UsageError
from multiall_cli.domain.inventory import Server
from multiall_cli.domain.records import Content, Leasing, Place, RRset, Written, key_of, place_of
from multiall_cli.domain.zones import NameServer, Zone
from multiall_cli.planning.zones import files, serials
from multiall_cli.ports.dns import DynamicNameServers
from multiall_cli.ports.session import Completed, Session

STAGED = ".multiall"  # what a file is called beside the one that it is to replace
CHANGED = 99  # the exit code where someone has written to the file meanwhile
TAKE = (
    'if [ -L "$2" ]; then echo "$2 is a link to $(readlink -f -- "$2")" >&2; exit 98; fi; '
    'if [ -n "$3" ] && [ "$(sha256sum < "$2" | cut -c 1-64)" != "$3" ]; then exit 99; fi; '
    'chown --reference="$2" "$1" && chmod --reference="$2" "$1" && mv -f -T "$1" "$2"'
)
"""A constant; the staged file, the one that it replaces, and the digest that this must have come as its arguments."""

TRY = (
    'if [ -L "$1" ]; then echo "$1 is a link to $(readlink -f -- "$1")" >&2; exit 98; fi; '
    'test -f "$1" || { echo "fail: $1 is no file" >&2; exit 1; }; '
    'test -w "${1%/*}" || { echo "fail: ${1%/*} cannot be written" >&2; exit 1; }'
)
"""A constant; the file that is to be replaced as its argument."""
LINK = 98  # the exit code of both where the file is a link

Push = Callable[[Sequence[Server], Mapping[str, bytes]], Mapping[str, str]]
"""Puts files (path → content) on servers; server → why it has them not, of those."""


class ZoneFiles:
    """The primaries of zones in files. `opened`: a session with a server; `push`: puts files there, whole or not."""

    def __init__(
        self,
        queries: DynamicNameServers,
        servers: Mapping[str, Server],
        opened: Callable[[Server], Session],
        push: Push,
    ) -> None:
        self._queries = queries
        self._servers = servers
        self._opened = opened
        self._push = push
        self._last: dict[str, tuple[str, str, Content]] = {}
        """zone → the texts of its file and its fragment, and what both gave: reading a large one takes a second."""
        self._real: dict[tuple[str, str], str] = {}
        """(server, path) → the file that this leads to there, as it was found for the last write."""
        self._folders: dict[str, str] = {}
        """server → the folder that its named works in."""

    # --- what queries show --------------------------------------------------------------------------------------

    def serial(self, zone: Zone, server: NameServer) -> int:
        return self._queries.serial(zone, server)

    def answers(self, zone: Zone, server: NameServer, places: Sequence[Place]) -> Mapping[Place, RRset | None]:
        return self._queries.answers(zone, server, places)

    def notify(self, zone: Zone, server: NameServer) -> None:
        if server in zone.secondaries:
            self._queries.notify(zone, server)

    # --- the files ----------------------------------------------------------------------------------------------

    def read(self, zone: Zone) -> Content:
        with self._session(zone.primary) as session:
            return self._present(session, zone)

    def _present(self, session: Session, zone: Zone) -> Content:
        """The zone as its files have it now; they are read through only where they are not as they were."""
        texts = [_output(session, ["cat", "--", path]) if path else "" for path in (zone.file, zone.fragment)]
        known = self._last.get(zone.name)
        if known is None or known[:2] != tuple(texts):
            content = self._dumped(session, zone, zone.file, texts[0], texts[bool(zone.fragment)])
            self._last[zone.name] = (texts[0], texts[1], content)
        return self._last[zone.name][2]

    def _folder(self, session: Session) -> str:
        """The folder that named works in; '' where neither rndc nor named-checkconf says it."""
        name = session.server.name
        if name not in self._folders:
            said = session.run(["rndc", "status"]).stdout.whole().decode("utf-8", "replace")
            conf = re.search(r"^configuration file: (/[^\n(]*\S)", said, re.MULTILINE)
            argv = ["named-checkconf", "-p", "-x", *([conf[1]] if conf else [])]
            told = session.run(argv).stdout.whole().decode("utf-8", "replace")
            found = re.search(r'^options \{.*?^\tdirectory "([^"\n]+)";', told, re.MULTILINE | re.DOTALL)
            self._folders[name] = found[1] if found else ""
        return self._folders[name]

    def _dumped(self, session: Session, zone: Zone, file: str, text: str, block: str) -> Content:
        """A file as named-checkzone understands it. `text`: what it holds; `block`: the text with our records."""
        folder = self._folder(session) if files.includes(text) else ""
        at = ["-w", folder] if folder else []  # relative names in it go by named's own folder
        argv = ["named-checkzone", "-D", "-s", "full", "-i", "none", *at, zone.name.rstrip(".") or ".", file]
        dump = _output(session, argv)
        try:
            return files.content_of(dump, block)
        except (ValueError, IndexError) as fault:
            what = f"named-checkzone printed no zone for {file} ({fault})"
            raise MemberFault(
                session.server.name, what, f"run `named-checkzone -D {zone.shown} {file}` there"
            ) from None

    def release(self, zone: Zone, lease: Leasing) -> None:
        """There is none: a file is replaced only if it is still as it was read."""

    def write(
        self, zone: Zone, changes: Sequence[tuple[Change[RRset], str]], soa: str, lease: Leasing | None = None
    ) -> Written:
        """Written aside on all primaries, checked on the first, taken on each, reloaded."""
        with self._session(zone.primary) as session:
            self._refuse_dynamic(session, zone)
            content = self._present(session, zone)
            if not _holds(content, changes):
                return Written()
            absent, odd = self._put_aside(session, zone, content, changes)
            refused = {key_of(place): _outside(zone) for place in odd}
            changes = [each for each in changes if each[0].key not in refused]
            if odd and changes:
                absent, _ = self._put_aside(session, zone, content, changes)
        if refused and not changes:
            return Written(refused=refused)
        if not self._take(zone, zone.primary, self._last[zone.name][:2]):
            return Written()
        there = [each for each in zone.mirrors if each.name not in absent]
        with ThreadPoolExecutor(len(there) or 1) as pool:
            for taken in [pool.submit(self._taken, zone, server) for server in there]:
                taken.result()
        return Written(frozenset(each.key for each, _ in changes), refused)

    def _put_aside(
        self, session: Session, zone: Zone, content: Content, changes: Sequence[tuple[Change[RRset], str]]
    ) -> tuple[Mapping[str, str], Sequence[Place]]:
        """The new file beside the old one, checked: which primaries have it not, and which of the changes do not come
        out of it as they are meant.
        """
        staged = self._staged(zone, content, changes)
        self._find(zone, zone.primary, session)
        absent = self._found_elsewhere(zone)
        by_paths: dict[tuple[str, ...], list[Server]] = {}
        for server in (each for each in self._primaries(zone) if each.name not in absent):
            by_paths.setdefault(tuple(self._aside(server.name, path) for path in staged), []).append(server)
        for paths, servers in by_paths.items():
            contents = {path: text.encode() for path, text in zip(paths, staged.values(), strict=True)}
            absent |= self._push(servers, contents)
        if zone.primary.name in absent:
            raise MemberFault(zone.primary.name, absent[zone.primary.name], "mend that, and run it again")
        return absent, self._check(session, zone, content, changes, staged)

    def _found_elsewhere(self, zone: Zone) -> dict[str, str]:
        """Find the files of all mirrors; why those of some are not found, by name."""
        absent: dict[str, str] = {}

        def found(server: NameServer) -> None:
            try:
                with self._session(server) as session:
                    self._find(zone, server, session)
            except (Unreachable, MemberFault) as fault:
                absent[server.name] = fault.what

        with ThreadPoolExecutor(len(zone.mirrors) or 1) as pool:
            for done in [pool.submit(found, server) for server in zone.mirrors]:
                done.result()
        return absent

    def _find(self, zone: Zone, server: NameServer, session: Session) -> None:
        """Look where the zone's files are on a server. A link is followed if only root or we can have put it there:
        what is written goes where it leads to. Errors: MemberFault where it is not to be trusted.
        """
        for path in filter(None, (zone.file, zone.fragment)):
            is_link = session.run(["test", "-L", path]).exit_code == 0
            real = str(session.call("resolve_link", path=path).value()["path"]) if is_link else path
            self._real[server.name, path] = real

    def _aside(self, server: str, staged: str) -> str:
        """What is written aside under a declared name, beside the file that it is for."""
        path = staged.removesuffix(STAGED)
        return self._real.get((server, path), path) + STAGED

    def _staged(self, zone: Zone, content: Content, changes: Iterable[tuple[Change[RRset], str]]) -> dict[str, str]:
        """path → text of what is written aside."""
        main, own, _ = self._last[zone.name]
        records = files.ours(content)
        for change, marker in changes:
            if marker:
                after = change.after or RRset(0, ())
                records[place_of(change.key)] = RRset(after.ttl, after.values, marker)
            else:
                records.pop(place_of(change.key), None)
        serial = serials.after([content.serial, *self._live(zone)])
        block = files.rendered(own if zone.fragment else main, records)
        text = files.with_serial(main if zone.fragment else block, serial)
        if text is None:
            raise MemberFault(
                zone.primary.name, f"{zone.file} has no serial in it", "put its SOA record into this file"
            )
        if not zone.fragment:
            return {zone.file + STAGED: text}
        return {zone.file + STAGED: text, zone.fragment + STAGED: block}

    def _live(self, zone: Zone) -> list[int]:
        """The serials that servers give now: the next one must be newer than each."""
        found = []
        for server in zone.servers:
            try:
                found.append(self._queries.serial(zone, server))
            except (Unreachable, MemberFault):
                continue  # it is told when the change is looked for there
        return found

    def _check(
        self,
        session: Session,
        zone: Zone,
        before: Content,
        changes: Sequence[tuple[Change[RRset], str]],
        staged: Mapping[str, str],
    ) -> Sequence[Place]:
        """The changes that come out otherwise. named-checkzone passes a file that was cut: what else it holds must be
        what it held.
        """
        file = self._aside(session.server.name, zone.file + STAGED)
        if zone.fragment:
            text = self._including(session, zone, staged)
            file += ".check"
            self._push([session.server], {file: text.encode()})
        try:
            main = staged[zone.file + STAGED]
            after = self._dumped(session, zone, file, main, staged[(zone.fragment or zone.file) + STAGED])
        finally:
            if zone.fragment:
                session.run(["rm", "-f", "--", file])
        lost = files.lost(before, after, [place_of(each.key) for each, _ in changes])
        odd = [place for place, wanted in _expected(changes).items() if after.rrsets.get(place) != wanted]
        if lost or odd:
            session.run(["rm", "-f", "--", *(self._aside(session.server.name, path) for path in staged)])
        if lost:
            what = f"the new file would give something else for {key_of(lost[0])}, which was not meant"
            raise MemberFault(f"zone {zone.shown}", f"{what}: nothing was loaded", f"look at {zone.file}")
        return odd

    def _including(self, session: Session, zone: Zone, staged: Mapping[str, str]) -> str:
        """The new file with the new fragment in it. Errors: MemberFault."""
        main, folder = staged[zone.file + STAGED], self._folder(session)
        aside = self._aside(session.server.name, zone.fragment + STAGED)
        text = files.including(main, zone.fragment, aside, folder)
        if text is None:
            what = f"{zone.file} does not include {zone.fragment}"
            raise MemberFault(zone.primary.name, what, f"add `$INCLUDE {zone.fragment}` to it")
        return text

    def _taken(self, zone: Zone, server: NameServer) -> None:
        """By a mirror; what goes wrong there is seen when it is asked."""
        with suppress(Unreachable, MemberFault):
            self._take(zone, server, ("", ""))

    def _take(self, zone: Zone, server: NameServer, before: Sequence[str]) -> bool:
        """Whether it was taken: not where a file is no longer as it was before ('': however it is)."""
        declared = [(path, text) for path, text in zip((zone.file, zone.fragment), before, strict=True) if path]
        paths = [(self._real.get((server.name, path), path), text) for path, text in declared]
        with self._session(server) as session:
            for path, text in reversed(paths):  # the serial last
                known = sha256(text.encode("utf-8", "surrogateescape")).hexdigest() if text else ""
                taken = session.run(["sh", "-c", TAKE, "multiall", path + STAGED, path, known])
                if taken.exit_code == CHANGED:
                    session.run(["rm", "-f", "--", *(f"{each}{STAGED}" for each, _ in paths)])
                    return False
                if taken.exit_code == LINK:
                    session.run(["rm", "-f", "--", *(f"{each}{STAGED}" for each, _ in paths)])
                    raise _link(server, path, taken)
                _well(session, taken, ["mv", path])
            _output(session, ["rndc", "reload", zone.name])  # that it ended well says little: queries show more
        return True

    def may_reload(self, zone: Zone, server: NameServer) -> None:
        """Whether a primary would take a file of ours, by questions that change nothing. Errors: MemberFault."""
        with self._session(server) as session:
            self._refuse_dynamic(session, zone)
            self._find(zone, server, session)
            for path in (self._real[server.name, each] for each in (zone.file, zone.fragment) if each):
                tried = session.run(["sh", "-c", TRY, "multiall", path])
                if tried.exit_code == LINK:
                    raise _link(server, path, tried)
                _well(session, tried, ["test", "-w", path])

    def may_write(self, zone: Zone) -> None:
        """Whether a new file could be made of what the primary has: its serial and its fragment are found. Errors:
        MemberFault.
        """
        with self._session(zone.primary) as session:
            content = self._present(session, zone)
            staged = self._staged(zone, content, ())
            if zone.fragment:
                self._including(session, zone, staged)

    def _refuse_dynamic(self, session: Session, zone: Zone) -> None:
        """A file of a dynamic zone would be overwritten, or ours would be lost."""
        if "dynamic: yes" in _output(session, ["rndc", "zonestatus", zone.name]):
            what = f"the zone {zone.shown} is dynamic: its file is named's own"
            raise MemberFault(session.server.name, what, "leave `file:` out, and give it a `key:` for updates")

    def _primaries(self, zone: Zone) -> list[Server]:
        return [self._servers[each.name] for each in (zone.primary, *zone.mirrors)]

    def _session(self, server: NameServer) -> AbstractContextManager[Session]:
        return closing(self._opened(self._servers[server.name]))


def _holds(content: Content, changes: Iterable[tuple[Change[RRset], str]]) -> bool:
    """Whether all that is to be replaced is as it was planned."""
    for change, _ in changes:
        there = content.rrsets.get(place_of(change.key))
        before = change.before.values if change.before else ()
        if (there.values if there else ()) != before:
            return False
    return True


def _link(server: NameServer, path: str, done: Completed) -> MemberFault:
    """A rename would replace the link, and leave what it leads to as it is."""
    words = done.stderr.whole().decode("utf-8", "replace").strip() or f"{path} is a link"
    return MemberFault(server.name, f"{words}, and a link is not replaced", "write in `zones:` what it leads to")


def _outside(zone: Zone) -> tuple[str, str]:
    """Why a name does not come out of a file as it is meant."""
    return f"has other lines for it in {zone.file}, outside our part of it", "take those out, and sync again"


def _expected(changes: Iterable[tuple[Change[RRset], str]]) -> dict[Place, RRset | None]:
    return {place_of(each.key): each.after if each.after and each.after.values else None for each, _ in changes}


def _output(session: Session, argv: Sequence[str]) -> str:
    """What a command prints. Errors: MemberFault where it ended badly."""
    said = bytearray()
    done = session.run(argv, on_output=lambda stream, piece: said.extend(piece if stream == "stdout" else b""))
    _well(session, done, argv)
    return said.decode("utf-8", "surrogateescape")


def _well(session: Session, done: Completed, argv: Sequence[str]) -> None:
    """Errors: MemberFault where a command ended badly, with its last words."""
    if done.exit_code:
        words = (done.stderr.whole() or done.stdout.whole()).decode("utf-8", "replace").strip().splitlines()
        told = next((line for line in words if "error" in line or "fail" in line), words[-1] if words else "no words")
        what = f"{argv[0]} ended with {done.exit_code}: {told}"
        todo = " (named needs `controls` and rndc its key, as `rndc-confgen -a` makes it)" if argv[0] == "rndc" else ""
        raise MemberFault(session.server.name, what, f"run it there: {' '.join(argv)}{todo}")


def read_zone_file(file: Path, zone: Zone) -> Content:
    """The content of a zone's file. Errors: UsageError, with the line where it is no such file."""
    try:
        found = dns.zone.from_file(str(file), zone.name, relativize=False, allow_include=False)
    except OSError as fault:
        raise UsageError(str(file), f"it cannot be read: {fault.strerror}", "look at its path") from None
    except (dns.exception.DNSException, UnicodeDecodeError, ValueError) as fault:
        raise UsageError(
            str(file), f"it is no file of the zone {zone.shown}: {fault}", "mend it, or its name"
        ) from None
    return content_of(zone, found)
