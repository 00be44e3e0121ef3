"""Servers, their facts and their keys."""

import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import chain

from multiall_cli.cli.render.document import say, table
from multiall_cli.cli.render.result import Case, View
from multiall_cli.cli.render.text import count, safe_lines, safe_text, size
from multiall_cli.domain.answer import Executed, Facts, Finding, HostKeyOffer, Severity
from multiall_cli.domain.exits import Exit
from multiall_cli.domain.inventory import Inventory, Server
from multiall_cli.planning.merge import EffectiveValue
from multiall_cli.planning.targets import fold


def server_list(servers: Sequence[Server], inventory: Inventory) -> View:
    def human(wide: bool) -> Iterator[object]:
        rows = [
            (each.name, each.address, _pools(inventory, each), ", ".join(f"{k}={v}" for k, v in each.labels.items()))
            for each in servers
        ]
        yield table(("server", "address", "pools", "labels"), rows)

    names = [each.name for each in servers]
    return View("server.list", {"servers": servers}, human, servers, names, well=False)


def _pools(inventory: Inventory, server: Server) -> str:
    return ", ".join(pool.name for pool in inventory.pools_of(server.name))


def server(found: Server, inventory: Inventory) -> View:
    def human(wide: bool) -> Iterator[object]:
        user = f"{found.ssh.user}@" if found.ssh.user else ""
        port = f":{found.ssh.port}" if found.ssh.port else ""
        jump = f", through {found.ssh.jump}" if found.ssh.jump else ""
        rows = [
            ("reached", f"{found.link.value} {user}{found.address}{port}{jump}"),
            ("become", found.become.method.value),
            ("labels", ", ".join(f"{key}={value}" for key, value in found.labels.items()) or "none"),
            ("pools", _pools(inventory, found) or "none"),
            ("declared", str(found.origin)),
        ]
        yield f"server {found.name}"
        yield from (f"  {key + ':':<9} {safe_text(value)}" for key, value in rows)

    return View("server.show", found, human, [found], [found.name], well=False)


def explained(name: str, values: Sequence[EffectiveValue]) -> View:
    def human(wide: bool) -> Iterator[object]:
        rows = [(each.key, each.value, each.pool, str(each.origin)) for each in values]
        yield table(("value", "is", "pool", "from"), rows)

    told = {"server": name, "values": values}
    return View("server.explain", told, human, values, [each.key for each in values], well=False)


def facts(answers: Sequence[Facts], left: Sequence[str] = ()) -> View:
    def rows() -> Iterator[object]:
        told = [_facts_row(each) for each in answers if not each.trouble]
        if told:
            yield table(("server", "system", "kernel", "python", "cpus", "memory", "user"), told)

    def troubles() -> Iterator[object]:
        yield from (safe_text(f"{each.server}: {each.trouble}; {each.todo}") for each in answers if each.trouble)
        yield from _left_line(left)

    silent = [each.server for each in answers if each.trouble]
    code = Exit.INTERRUPTED if left else Exit.PARTIAL if silent else Exit.OK
    names = [each.server for each in answers if not each.trouble]
    cases = [Case(each.server, "facts", f"{each.trouble}; {each.todo}" if each.trouble else "") for each in answers]
    return View(
        "server.facts",
        {"servers": answers, "left": left},
        lambda wide: chain(rows(), troubles()),
        answers,
        names,
        cases,
        code,
        well=False,
        urgent=lambda: chain(troubles(), rows()),
    )


MOST_MEMORY = 1e18  # bytes; a server that tells of more tells nothing


def _facts_row(answer: Facts) -> tuple[str, ...]:
    told = {key: "" if value is None else str(value) for key, value in answer.facts.items()}
    memory = answer.facts.get("memory")
    return (
        answer.server,
        told.get("system", ""),
        told.get("kernel", ""),
        told.get("python", ""),
        told.get("cpus", ""),
        size(memory) if isinstance(memory, (int, float)) and 0 <= memory < MOST_MEMORY else "",
        told.get("user", ""),
    )


def show_offer(found: HostKeyOffer) -> None:
    """The key before the question, on stderr."""
    say(f"{found.server} shows the {found.kind} key {found.fingerprint} as {found.name}, {found.known} so far")


def offer(found: HostKeyOffer, done: str, refusal: str = "") -> View:
    """A key, and what was `done` with it ('' : it was known) or why nothing was."""

    def human(wide: bool) -> Iterator[object]:
        yield safe_text(f"{found.server}: {found.kind} {found.fingerprint} ({found.known})")
        if refusal or done:
            yield safe_text(f"not trusted: {refusal}" if refusal else done)

    code = Exit.REFUSED if refusal else Exit.OK
    cases = [Case(found.server, "host key", refusal)]
    told = {"offer": found, "done": done, "refused": refusal}
    return View("server.trust", told, human, [found], [found.server], cases, code, well=not (done or refusal))


# --- exec -------------------------------------------------------------------------------------------------------


def executed(answers: Sequence[Executed], left: Sequence[str] = (), *, diff: bool = False) -> View:
    """Equal output is told once, for all servers that gave it. `left`: servers that an interruption spared."""

    def human(wide: bool) -> Iterator[object]:
        yield from _diffed(answers) if diff else _folded(_groups(answers))
        yield from _left_line(left)

    def urgent() -> Iterator[object]:
        yield from _left_line(left)
        yield from _folded(_groups(answers)[::-1])

    told = {"servers": answers, "left": left}
    silent = not left and all(each.exit_code == 0 and not each.stdout and not each.stderr for each in answers)
    cases = [Case(each.server, "exec", _ending(each) if each.exit_code != 0 else "") for each in answers]
    names = [each.server for each in answers if each.exit_code == 0]
    return View("exec", told, human, answers, names, cases, _exit(answers, left), well=silent, urgent=urgent)


def streamed(answers: Sequence[Executed], left: Sequence[str] = ()) -> View:
    """What is still to be said when all output has been shown: how it ended where it did not end well."""

    def human(wide: bool) -> Iterator[object]:
        bad = [replace(each, stdout="", stderr="") for each in answers if each.exit_code != 0]
        yield from _folded(_groups(bad))
        yield from _left_line(left)

    code = _exit(answers, left)
    return View("exec", {}, human, exit=code, well=code is Exit.OK)


def _exit(answers: Sequence[Executed], left: Sequence[str]) -> Exit:
    if left:
        return Exit.INTERRUPTED
    return Exit.OK if all(each.exit_code == 0 for each in answers) else Exit.PARTIAL


def _left_line(left: Sequence[str]) -> Iterator[object]:
    if left:
        yield f"interrupted: {fold(left)} ({count(len(left), 'server')}) not begun"


def _ending(answer: Executed) -> str:
    if answer.exit_code is None:
        return f"{'no result' if answer.begun else 'not run'}: {answer.trouble}; {answer.todo}"
    return f"exit {answer.exit_code}"


def _groups(answers: Sequence[Executed]) -> list[tuple[list[str], Executed]]:
    """Servers with equal results, the largest group first, failures last: they stand nearest to the prompt."""
    shared: dict[tuple[object, ...], tuple[list[str], Executed]] = {}
    for each in answers:
        key = (each.exit_code, each.stdout, each.stderr, each.trouble, each.todo)
        shared.setdefault(key, ([], each))[0].append(each.server)
    return sorted(shared.values(), key=lambda group: (group[1].exit_code != 0, -len(group[0])))


def _heading(servers: Sequence[str], first: Executed, words: str = "") -> str:
    ending = "" if first.exit_code == 0 else f": {safe_text(_ending(first))}"
    return f"--- {fold(servers)} ({count(len(servers), 'server')}){words}{ending}"


def _folded(groups: Sequence[tuple[list[str], Executed]]) -> Iterator[object]:
    for servers, first in groups:
        yield _heading(servers, first)
        for output in (first.stdout, first.stderr):
            if output:
                yield safe_lines(output.removesuffix("\n"))


def _diffed(answers: Sequence[Executed]) -> Iterator[object]:
    """The largest group's output, and of each other group only how it differs from that."""
    import difflib

    groups = _groups(answers)
    yield from _folded(groups[:1])
    reference = groups[0][1] if groups else None
    for servers, first in groups[1:]:
        if first.exit_code is None or reference is None:
            yield from _folded([(servers, first)])
            continue
        yield _heading(servers, first, " differs")
        for before, after in ((reference.stdout, first.stdout), (reference.stderr, first.stderr)):
            lines = difflib.unified_diff(before.splitlines(), after.splitlines(), lineterm="", n=1)
            yield from (safe_text(line) for line in list(lines)[2:])


class Live:
    """Prints output line by line as it comes, with the server's name before it. Called from many threads."""

    LONGEST = 1 << 16  # bytes of a line that is shown without waiting for its end

    def __init__(self, begin: Callable[[], None] = lambda: None) -> None:
        """`begin` is called before the first line."""
        self._begin: Callable[[], None] | None = begin
        self._rest: dict[tuple[str, str], bytes] = {}
        self._guard = threading.Lock()

    def __call__(self, server: str, stream: str, piece: bytes) -> None:
        *lines, rest = (self._rest.get((server, stream), b"") + piece).split(b"\n")
        if len(rest) > self.LONGEST:
            lines, rest = [*lines, rest], b""
        self._rest[server, stream] = rest
        if lines:
            self._print(server, stream, lines)

    def finish(self) -> None:
        for (server, stream), rest in self._rest.items():
            if rest:
                self._print(server, stream, [rest])

    def _print(self, server: str, stream: str, lines: Sequence[bytes]) -> None:
        words = (safe_text(line.removesuffix(b"\r").decode("utf-8", "surrogateescape")) for line in lines)
        text = "".join(f"{server}: {line}\n" for line in words)
        with self._guard:
            if self._begin is not None:
                self._begin()
                self._begin = None
            to = sys.stderr if stream == "stderr" else sys.stdout
            to.write(text)
            to.flush()


# --- doctor -----------------------------------------------------------------------------------------------------


_RANK = {Severity.ILL: 0, Severity.ODD: 1, Severity.WELL: 2}


def findings(found: Sequence[Finding], left: Sequence[str] = ()) -> View:
    """Problems first; equal ones are told once."""

    def human(wide: bool) -> Iterator[object]:
        shared: dict[tuple[Severity, str, str], list[str]] = {}
        for each in sorted(found, key=lambda each: _RANK[each.health]):
            what = "" if each.health is Severity.WELL and not wide else each.what
            shared.setdefault((each.health, what, each.todo), []).append(each.subject)
        rows = [
            (_subjects(subjects), health.value, "; ".join(filter(None, (what, todo))))
            for (health, what, todo), subjects in shared.items()
        ]
        yield table(("subject", "state", "what"), rows)
        yield from _left_line(left)

    ill = [each for each in found if each.health is Severity.ILL]
    cases = [Case(each.subject, "doctor", _words(each) if each.health is Severity.ILL else "") for each in found]
    well = not left and all(each.health is Severity.WELL for each in found)
    names = list(dict.fromkeys(each.subject for each in ill))
    code = Exit.INTERRUPTED if left else Exit.PARTIAL if ill else Exit.OK
    return View("doctor", {"findings": found, "left": left}, human, found, names, cases, code, well=well)


def _words(finding: Finding) -> str:
    return "; ".join(filter(None, (finding.what, finding.todo)))


def _subjects(subjects: Sequence[str]) -> str:
    """The admin host's own subjects by name, servers folded."""
    own = [each for each in ("site", "store") if each in subjects]
    servers = list(dict.fromkeys(each for each in subjects if each not in own))
    return ", ".join(filter(None, [*own, fold(servers) if servers else ""]))
