"""Zones in files on their primaries: read, checked, pushed to all of them, reloaded, and queried."""

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
from multiall_cli.domain.records import Leasing, RRset, RRsetKey, UpdateResult, ZoneContent, key_of, place_of
from multiall_cli.domain.zones import NameServer, Zone
from multiall_cli.planning.zones import files, serials
from multiall_cli.ports.dns import DynamicNameServers
from multiall_cli.ports.session import Completed, Session

STAGED = ".multiall"  # suffix of the staged file beside the one that it replaces
CHANGED = 99  # exit code if someone wrote to the file meanwhile
TAKE = (
    'if [ -L "$2" ]; then echo "$2 is a link to $(readlink -f -- "$2")" >&2; exit 98; fi; '
    'if [ -n "$3" ] && [ "$(sha256sum < "$2" | cut -c 1-64)" != "$3" ]; then exit 99; fi; '
    'chown --reference="$2" "$1" && chmod --reference="$2" "$1" && mv -f -T "$1" "$2"'
)
"""A constant script. Arguments: the staged file, the file that it replaces, and the digest that this must have."""

TRY = (
    'if [ -L "$1" ]; then echo "$1 is a link to $(readlink -f -- "$1")" >&2; exit 98; fi; '
    'test -f "$1" || { echo "fail: $1 is no file" >&2; exit 1; }; '
    'test -w "${1%/*}" || { echo "fail: ${1%/*} cannot be written" >&2; exit 1; }'
)
"""A constant script. Argument: the file to replace."""
LINK = 98  # exit code of both scripts if the file is a link

Push = Callable[[Sequence[Server], Mapping[str, bytes]], Mapping[str, str]]
"""Puts files (path → content) on servers; returns server → error for those that failed."""


class ZoneFiles:
    """Primaries of zones in files. `opened`: opens a session with a server; `push`: puts files there atomically."""

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
        self._last: dict[str, tuple[str, str, ZoneContent]] = {}
        """zone → texts of its file and its fragment, and their content: parsing a large zone takes a second."""
        self._real: dict[tuple[str, str], str] = {}
        """(server, path) → the file behind a link, as found for the last write."""
        self._folders: dict[str, str] = {}
        """server → the working folder of its named."""

    # --- queries ------------------------------------------------------------------------------------------------

    def serial(self, zone: Zone, server: NameServer) -> int:
        return self._queries.serial(zone, server)

    def answers(self, zone: Zone, server: NameServer, places: Sequence[RRsetKey]) -> Mapping[RRsetKey, RRset | None]:
        return self._queries.answers(zone, server, places)

    def notify(self, zone: Zone, server: NameServer) -> None:
        if server in zone.secondaries:
            self._queries.notify(zone, server)

    # --- the files ----------------------------------------------------------------------------------------------

    def read(self, zone: Zone) -> ZoneContent:
        with self._session(zone.primary) as session:
            return self._read_current(session, zone)

    def _read_current(self, session: Session, zone: Zone) -> ZoneContent:
        """Return the content of the zone's files; unchanged files are not parsed again."""
        texts = [_output(session, ["cat", "--", path]) if path else "" for path in (zone.file, zone.fragment)]
        known = self._last.get(zone.name)
        if known is None or known[:2] != tuple(texts):
            content = self._parse(session, zone, zone.file, texts[0], texts[bool(zone.fragment)])
            self._last[zone.name] = (texts[0], texts[1], content)
        return self._last[zone.name][2]

    def _folder(self, session: Session) -> str:
        """Return named's working folder; '' if neither rndc nor named-checkconf prints it."""
        name = session.server.name
        if name not in self._folders:
            status = session.run(["rndc", "status"]).stdout.whole().decode("utf-8", "replace")
            conf = re.search(r"^configuration file: (/[^\n(]*\S)", status, re.MULTILINE)
            argv = ["named-checkconf", "-p", "-x", *([conf[1]] if conf else [])]
            config_text = session.run(argv).stdout.whole().decode("utf-8", "replace")
            found = re.search(r'^options \{.*?^\tdirectory "([^"\n]+)";', config_text, re.MULTILINE | re.DOTALL)
            self._folders[name] = found[1] if found else ""
        return self._folders[name]

    def _parse(self, session: Session, zone: Zone, file: str, text: str, block: str) -> ZoneContent:
        """Return a file's content as named-checkzone reads it. `text`: the file; `block`: the text with our records."""
        folder = self._folder(session) if files.includes(text) else ""
        at = ["-w", folder] if folder else []  # relative names in it start at named's own folder
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
        """Zone files have no lease: a file is replaced only if it has not changed since it was read."""

    def write(
        self, zone: Zone, changes: Sequence[tuple[Change[RRset], str]], soa: str, lease: Leasing | None = None
    ) -> UpdateResult:
        """Stage the files on all primaries, check them on the first, install them on each, and reload."""
        with self._session(zone.primary) as session:
            self._refuse_dynamic(session, zone)
            content = self._read_current(session, zone)
            if not _is_unchanged(content, changes):
                return UpdateResult()
            absent, odd = self._stage(session, zone, content, changes)
            refused = {key_of(place): _outside_error(zone) for place in odd}
            changes = [each for each in changes if each[0].key not in refused]
            if odd and changes:
                absent, _ = self._stage(session, zone, content, changes)
        if refused and not changes:
            return UpdateResult(refused=refused)
        if not self._install(zone, zone.primary, self._last[zone.name][:2]):
            return UpdateResult()
        there = [each for each in zone.mirrors if each.name not in absent]
        with ThreadPoolExecutor(len(there) or 1) as pool:
            for taken in [pool.submit(self._install_on, zone, server) for server in there]:
                taken.result()
        return UpdateResult(frozenset(each.key for each, _ in changes), refused)

    def _stage(
        self, session: Session, zone: Zone, content: ZoneContent, changes: Sequence[tuple[Change[RRset], str]]
    ) -> tuple[Mapping[str, str], Sequence[RRsetKey]]:
        """Stage and check the new file. Return the primaries that do not have it, and the changes that would come out
        differently.
        """
        staged = self._staged_texts(zone, content, changes)
        self._find(zone, zone.primary, session)
        absent = self._find_on_mirrors(zone)
        by_paths: dict[tuple[str, ...], list[Server]] = {}
        for server in (each for each in self._primaries(zone) if each.name not in absent):
            by_paths.setdefault(tuple(self._staged_path(server.name, path) for path in staged), []).append(server)
        for paths, servers in by_paths.items():
            contents = {path: text.encode() for path, text in zip(paths, staged.values(), strict=True)}
            absent |= self._push(servers, contents)
        if zone.primary.name in absent:
            raise MemberFault(zone.primary.name, absent[zone.primary.name], "fix that, and run again")
        return absent, self._check(session, zone, content, changes, staged)

    def _find_on_mirrors(self, zone: Zone) -> dict[str, str]:
        """Find the zone's files on all extra primaries; return the reasons where that failed, by name."""
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
        """Find the zone's files on a server. A link is followed only if root or the login account made it: writes then
        go to its target. Raises MemberFault for an untrusted link.
        """
        for path in filter(None, (zone.file, zone.fragment)):
            is_link = session.run(["test", "-L", path]).exit_code == 0
            real = str(session.call("resolve_link", path=path).value()["path"]) if is_link else path
            self._real[server.name, path] = real

    def _staged_path(self, server: str, staged: str) -> str:
        """Return the path of the staged file for a declared file on a server."""
        path = staged.removesuffix(STAGED)
        return self._real.get((server, path), path) + STAGED

    def _staged_texts(
        self, zone: Zone, content: ZoneContent, changes: Iterable[tuple[Change[RRset], str]]
    ) -> dict[str, str]:
        """Return path → text of the staged files."""
        main, own, _ = self._last[zone.name]
        records = files.ours(content)
        for change, marker in changes:
            if marker:
                after = change.after or RRset(0, ())
                records[place_of(change.key)] = RRset(after.ttl, after.values, marker)
            else:
                records.pop(place_of(change.key), None)
        serial = serials.after([content.serial, *self._served_serials(zone)])
        block = files.rendered(own if zone.fragment else main, records)
        text = files.with_serial(main if zone.fragment else block, serial)
        if text is None:
            raise MemberFault(zone.primary.name, f"{zone.file} has no serial", "put its SOA record into this file")
        if not zone.fragment:
            return {zone.file + STAGED: text}
        return {zone.file + STAGED: text, zone.fragment + STAGED: block}

    def _served_serials(self, zone: Zone) -> list[int]:
        """Return the serials that servers give now: the next one must be newer than each."""
        found = []
        for server in zone.servers:
            try:
                found.append(self._queries.serial(zone, server))
            except (Unreachable, MemberFault):
                continue  # the check of the result reports it
        return found

    def _check(
        self,
        session: Session,
        zone: Zone,
        before: ZoneContent,
        changes: Sequence[tuple[Change[RRset], str]],
        staged: Mapping[str, str],
    ) -> Sequence[RRsetKey]:
        """Return the changes that would come out differently. named-checkzone accepts a truncated file, so all other
        records must be unchanged.
        """
        file = self._staged_path(session.server.name, zone.file + STAGED)
        if zone.fragment:
            text = self._including(session, zone, staged)
            file += ".check"
            self._push([session.server], {file: text.encode()})
        try:
            main = staged[zone.file + STAGED]
            after = self._parse(session, zone, file, main, staged[(zone.fragment or zone.file) + STAGED])
        finally:
            if zone.fragment:
                session.run(["rm", "-f", "--", file])
        lost = files.lost(before, after, [place_of(each.key) for each, _ in changes])
        odd = [place for place, wanted in _values_before(changes).items() if after.rrsets.get(place) != wanted]
        if lost or odd:
            session.run(["rm", "-f", "--", *(self._staged_path(session.server.name, path) for path in staged)])
        if lost:
            what = f"the new file would change {key_of(lost[0])}, which is not in the plan"
            raise MemberFault(f"zone {zone.shown}", f"{what}: nothing was loaded", f"check {zone.file}")
        return odd

    def _including(self, session: Session, zone: Zone, staged: Mapping[str, str]) -> str:
        """Return the new file with the new fragment in it. Raises MemberFault."""
        main, folder = staged[zone.file + STAGED], self._folder(session)
        aside = self._staged_path(session.server.name, zone.fragment + STAGED)
        text = files.including(main, zone.fragment, aside, folder)
        if text is None:
            what = f"{zone.file} does not include {zone.fragment}"
            raise MemberFault(zone.primary.name, what, f"add `$INCLUDE {zone.fragment}` to it")
        return text

    def _install_on(self, zone: Zone, server: NameServer) -> None:
        """Install the files on an extra primary; queries show later what failed there."""
        with suppress(Unreachable, MemberFault):
            self._install(zone, server, ("", ""))

    def _install(self, zone: Zone, server: NameServer, before: Sequence[str]) -> bool:
        """Install the files; return False if one has changed since it was read ('': any content is fine)."""
        declared = [(path, text) for path, text in zip((zone.file, zone.fragment), before, strict=True) if path]
        paths = [(self._real.get((server.name, path), path), text) for path, text in declared]
        with self._session(server) as session:
            for path, text in reversed(paths):  # the file with the serial last
                known = sha256(text.encode("utf-8", "surrogateescape")).hexdigest() if text else ""
                taken = session.run(["sh", "-c", TAKE, "multiall", path + STAGED, path, known])
                if taken.exit_code == CHANGED:
                    session.run(["rm", "-f", "--", *(f"{each}{STAGED}" for each, _ in paths)])
                    return False
                if taken.exit_code == LINK:
                    session.run(["rm", "-f", "--", *(f"{each}{STAGED}" for each, _ in paths)])
                    raise _link_error(server, path, taken)
                _check_exit(session, taken, ["mv", path])
            _output(session, ["rndc", "reload", zone.name])  # its success says little: queries check the result
        return True

    def may_reload(self, zone: Zone, server: NameServer) -> None:
        """Check that a primary would accept a new file, without changing anything. Raises MemberFault."""
        with self._session(server) as session:
            self._refuse_dynamic(session, zone)
            self._find(zone, server, session)
            for path in (self._real[server.name, each] for each in (zone.file, zone.fragment) if each):
                tried = session.run(["sh", "-c", TRY, "multiall", path])
                if tried.exit_code == LINK:
                    raise _link_error(server, path, tried)
                _check_exit(session, tried, ["test", "-w", path])

    def may_write(self, zone: Zone) -> None:
        """Check that a new file could be made from the primary's: its serial and its fragment are found.

        Raises MemberFault.
        """
        with self._session(zone.primary) as session:
            content = self._read_current(session, zone)
            staged = self._staged_texts(zone, content, ())
            if zone.fragment:
                self._including(session, zone, staged)

    def _refuse_dynamic(self, session: Session, zone: Zone) -> None:
        """Refuse a dynamic zone: named and MultiAll would overwrite each other's changes."""
        if "dynamic: yes" in _output(session, ["rndc", "zonestatus", zone.name]):
            what = f"the zone {zone.shown} is dynamic: named writes its file itself"
            raise MemberFault(session.server.name, what, "remove `file:`, and set a `key:` for updates")

    def _primaries(self, zone: Zone) -> list[Server]:
        return [self._servers[each.name] for each in (zone.primary, *zone.mirrors)]

    def _session(self, server: NameServer) -> AbstractContextManager[Session]:
        return closing(self._opened(self._servers[server.name]))


def _is_unchanged(content: ZoneContent, changes: Iterable[tuple[Change[RRset], str]]) -> bool:
    """Return whether everything that is to be replaced is as it was planned."""
    for change, _ in changes:
        there = content.rrsets.get(place_of(change.key))
        before = change.before.values if change.before else ()
        if (there.values if there else ()) != before:
            return False
    return True


def _link_error(server: NameServer, path: str, done: Completed) -> MemberFault:
    """Return the error for a link: a rename would replace the link, not its target."""
    words = done.stderr.whole().decode("utf-8", "replace").strip() or f"{path} is a link"
    return MemberFault(server.name, f"{words}; links are not replaced", "set the link's target in `zones:`")


def _outside_error(zone: Zone) -> tuple[str, str]:
    """Return why a name does not come out of a file as planned."""
    return f"has other lines for it in {zone.file}, outside MultiAll's block", "remove those, and sync again"


def _values_before(changes: Iterable[tuple[Change[RRset], str]]) -> dict[RRsetKey, RRset | None]:
    return {place_of(each.key): each.after if each.after and each.after.values else None for each, _ in changes}


def _output(session: Session, argv: Sequence[str]) -> str:
    """Return a command's output. Raises MemberFault if it failed."""
    status = bytearray()
    done = session.run(argv, on_output=lambda stream, piece: status.extend(piece if stream == "stdout" else b""))
    _check_exit(session, done, argv)
    return status.decode("utf-8", "surrogateescape")


def _check_exit(session: Session, done: Completed, argv: Sequence[str]) -> None:
    """Raise MemberFault with a failed command's last words."""
    if done.exit_code:
        words = (done.stderr.whole() or done.stdout.whole()).decode("utf-8", "replace").strip().splitlines()
        last_words = next(
            (line for line in words if "error" in line or "fail" in line), words[-1] if words else "no output"
        )
        what = f"{argv[0]} exited with {done.exit_code}: {last_words}"
        todo = " (named needs `controls` and rndc its key, as `rndc-confgen -a` makes it)" if argv[0] == "rndc" else ""
        raise MemberFault(session.server.name, what, f"run it there: {' '.join(argv)}{todo}")


def read_zone_file(file: Path, zone: Zone) -> ZoneContent:
    """Return the content of a zone file. Raises UsageError, with the line of a syntax error."""
    try:
        found = dns.zone.from_file(str(file), zone.name, relativize=False, allow_include=False)
    except OSError as fault:
        raise UsageError(str(file), f"cannot be read: {fault.strerror}", "check its path") from None
    except (dns.exception.DNSException, UnicodeDecodeError, ValueError) as fault:
        raise UsageError(str(file), f"not a file of the zone {zone.shown}: {fault}", "fix it, or its name") from None
    return content_of(zone, found)
