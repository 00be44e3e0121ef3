"""Pools, plans and reports for people and for programs."""

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from multiall_cli.cli.render.document import Grid, Line, Part, console, line, table, word
from multiall_cli.cli.render.result import Case, View
from multiall_cli.cli.render.text import count, safe_text
from multiall_cli.cli.render.times import moment
from multiall_cli.domain.answer import Difference, MemberStatus, PoolStatus
from multiall_cli.domain.change import Action, Change, Result
from multiall_cli.domain.exits import Exit
from multiall_cli.domain.inventory import FilesDeclaration, Pool
from multiall_cli.domain.plan import Absence, AgentPlan, Alarm, Plan
from multiall_cli.domain.report import MemberState, Report, SubjectReport
from multiall_cli.planning.guard_names import flag
from multiall_cli.planning.targets import fold

MOST_PATHS = 20  # of one plan in a table; -o wide shows all
_SIGNS = {Action.CREATE: "+", Action.UPDATE: "~", Action.DELETE: "-"}


def pool_list(pools: Sequence[Pool]) -> View:
    def human(wide: bool) -> Iterator[object]:
        rows = [(pool.name, str(len(pool.members)), fold(pool.members), _declares(pool)) for pool in pools]
        yield table(("pool", "size", "members", "declares"), rows)

    return View("pool.list", {"pools": pools}, human, pools, [pool.name for pool in pools], well=False)


def _declares(pool: Pool) -> str:
    return ", ".join(each.path for each in pool.files)


def pool(found: Pool) -> View:
    def human(wide: bool) -> Iterator[object]:
        yield f"pool {found.name}: {fold(found.members)} ({count(len(found.members), 'member')})"
        yield f"rollout: {_rollout(found)}"
        for each in found.files:
            yield line(f"files {each.path}", style="bold")
            yield from (line(f"  {name}: {value}") for name, value in _told(each).items())

    return View("pool.show", found, human, [found], list(found.members), well=False)


def _rollout(found: Pool) -> str:
    limit = found.rollout.max_fail
    stops = "however many fail" if limit is None else f"stops when more than {limit} failed"
    return f"batches of {', '.join(map(str, found.rollout.batch))}; {stops}"


def _told(declared: FilesDeclaration) -> Mapping[str, str]:
    """What a declaration says, without what is as everywhere."""
    usual = FilesDeclaration(path="", source="")
    told = {"source": declared.source}
    for name in (
        "exclude",
        "delete",
        "owner",
        "group",
        "file_mode",
        "dir_mode",
        "times",
        "xattrs",
        "trash",
        "entries",
        "after",
    ):
        value = getattr(declared, name)
        if value != getattr(usual, name):
            told[name] = ", ".join(map(str, value)) if isinstance(value, tuple) else _word_of(name, value)
    return told


def _word_of(name: str, value: object) -> str:
    if name.endswith("_mode") and isinstance(value, int):
        return f"{value:04o}"
    return {"True": "true", "False": "false"}.get(str(value), str(value))


# --- plans ------------------------------------------------------------------------------------------------------


def plan(found: Plan) -> View:
    """Equal changes are told once, for all members that share them."""

    def urgent() -> Iterator[object]:
        yield from _deferred_lines(found.absent)
        yield from _changes_lines(found, wide=False)
        yield _summary(found)

    code = Exit.DIFFERENCES if not found.is_empty else Exit.PARTIAL if found.absent else Exit.OK
    well = code is Exit.OK
    return View(
        "pool.plan",
        found,
        lambda wide: plan_lines(found, wide=wide),
        _plan_items(found),
        list(found.changed),
        _plan_cases(found),
        code,
        well=well,
        urgent=urgent,
    )


def plan_lines(found: Plan, *, wide: bool) -> Iterator[object]:
    yield from _changes_lines(found, wide=wide)
    yield from _deferred_lines(found.absent)
    yield _summary(found)


def _changes_lines(found: Plan, *, wide: bool) -> Iterator[object]:
    for part in (each for each in found.parts if each.changes):
        yield line(f"{fold(part.servers)}  {part.agent}: {_sums(part.changes)}", style="bold")
        shown = part.changes if wide else part.changes[:MOST_PATHS]
        for change in shown:
            yield change_line(change)
        if len(shown) < len(part.changes):
            yield line(f"  … and {len(part.changes) - len(shown)} more (-o wide shows all)", style="dim")
        for handler in part.handlers:
            yield line(f"  ! then {handler}")
    yield from _note_lines(found.parts)
    yield from _alarm_lines(found.alarms)
    pending: dict[str, list[str]] = {}
    for server, handler in found.pending:
        pending.setdefault(handler, []).append(server)
    for handler, servers in pending.items():
        yield line(f"{fold(servers)}  owed by an earlier run: {handler}", style="bold")


def _note_lines(parts: Iterable[AgentPlan[Any]]) -> Iterator[object]:
    shared: dict[tuple[str, str], list[str]] = {}
    for each in parts:
        for note in each.notes:
            shared.setdefault((each.agent, note), []).extend(each.servers)
    for (agent, note), servers in shared.items():
        yield line(f"{fold(servers)}  {agent}: {note}", style="yellow")


def _alarm_lines(alarms: Iterable[Alarm]) -> Iterator[object]:
    for each in alarms:
        yield line(word("warning"), f"  {each.what}: a sync is refused without {flag(each.guard)}")


def _sums(changes: Sequence[Change[Any]]) -> str:
    sums = ((action, sum(1 for change in changes if change.action is action)) for action in Action)
    return ", ".join(f"{number} to {action.value}" for action, number in sums if number)


def change_line(change: Change[Any]) -> Line:
    """One change, with a sign for what it does."""
    before = change.before.brief() if change.before else ""
    after = change.after.brief() if change.after else ""
    words = f"{before} ⇒ {after}" if before and after else before or after
    sign = f"  {_SIGNS[change.action]} "
    return line(sign, word(change.action.value), f" {change.key}", Part(f"  {safe_text(words)}", "dim"))


def _deferred_lines(deferred: Sequence[Absence]) -> Iterator[Line]:
    shared: dict[tuple[str, str], list[str]] = {}
    for each in deferred:
        shared.setdefault((each.what, each.todo), []).append(each.subject.name)
    for (what, todo), servers in shared.items():
        yield line(f"{fold(servers)}  ", word("deferred"), f": {what}; {todo}")


def _summary(found: Plan) -> Line:
    members = len(found.subjects)
    if found.is_empty and not found.absent:
        return line(f"{found.scope.name}: {count(members, 'member')} as declared, nothing to change")
    words = (
        f"{found.scope.name}: {count(found.changes, 'change')} on {len(found.changed)} of {count(members, 'member')}"
    )
    words += f", {found.deletions} of them deletions" if found.deletions else ""
    words += f", {len(found.absent)} not reached" if found.absent else ""
    words += f"; plan {found.id}" if found.id else ""
    return line(words, style="bold")


def _plan_items(found: Plan) -> list[object]:
    changes = [
        {"server": server, "agent": part.agent, "change": change}
        for part in found.parts
        for server in part.servers
        for change in part.changes
    ]
    told = {"pool": found.scope.name, "changes": found.changes}
    return [*changes, *found.absent, {**told, "id": found.id} if found.id else told]


def _plan_cases(found: Plan) -> list[Case]:
    drift = [
        Case(server, part.agent, f"{_sums(part.changes)}: {part.changes[0].key}" if part.changes else "")
        for part in found.parts
        for server in part.servers
    ]
    return drift + [Case(each.subject.name, "session", each.what) for each in found.absent]


def show_before_asking(lines: Iterable[object]) -> None:
    """Show a plan on stderr: stdout is for the result."""
    from multiall_cli.cli.render.rich_output import put

    screen = console(sys.stderr)
    for each in lines:
        put(screen, each)


# --- reports ----------------------------------------------------------------------------------------------------

_ORDER = (MemberState.FAILED, MemberState.DEFERRED, MemberState.LEFT, MemberState.CHANGED, MemberState.SAME)


def fetched(reports: Sequence[Report]) -> View:
    """Copies from servers, as one."""
    stopped = next((each.stopped for each in reports if each.stopped), "")
    codes = [each.exit for each in reports]
    code = Exit.INTERRUPTED if Exit.INTERRUPTED in codes else next((each for each in codes if each), Exit.OK)
    members = tuple(member for each in reports for member in each.members)
    one = report(Report("", reports[0].plan, members, stopped=stopped, exit=code))
    return replace(one, value={"reports": reports}, items=reports)


def report(found: Report) -> View:
    """Failures first; members that came out alike are told once."""

    def human(wide: bool) -> Iterator[object]:
        yield _members_table(found)
        if wide:
            yield from _outcome_lines(found)
        yield from _ending_lines(found)

    cases = [Case(each.server, "sync", _words(each) if _bad(each) else "") for each in found.members]
    well = all(member.state is MemberState.SAME for member in found.members)
    changed = [each.server for each in found.members if each.state is MemberState.CHANGED]
    return View("pool.sync", found, human, found.members, changed, cases, found.exit, well=well)


def _bad(member: SubjectReport) -> bool:
    return member.state not in (MemberState.SAME, MemberState.CHANGED)


def _members_table(found: Report) -> Grid:
    shared: dict[tuple[MemberState, str], list[str]] = {}
    for each in found.members:
        shared.setdefault((each.state, _words(each)), []).append(each.server)
    rows = sorted(shared.items(), key=lambda row: _ORDER.index(row[0][0]))
    return table(("members", "state", "what"), [(fold(servers), key[0].value, key[1]) for key, servers in rows])


def _ending_lines(found: Report) -> Iterator[Line]:
    left = sum(1 for each in found.members if each.state is MemberState.LEFT)
    if found.stopped:
        more = f"; {count(left, 'member')} left as before: the same command goes on" if left else ""
        yield line(f"stopped: {found.stopped}{more}", style="bold")
    states = [member.state for member in found.members]
    sums = ", ".join(f"{states.count(state)} {state.value}" for state in _ORDER if state in states)
    yield line(f"{found.name}: {sums}" + (f"; run {found.run}" if found.run else ""), style="bold")


def _words(member: SubjectReport) -> str:
    if member.state is MemberState.LEFT and not member.reason:
        return "not begun"
    return "; ".join(filter(None, (_what_happened(member), member.todo)))


def _what_happened(member: SubjectReport) -> str:
    if member.reason:
        return member.reason
    words = []
    done = sum(1 for outcome in member.outcomes if outcome.result is Result.DONE)
    if done:
        words.append(count(done, "change"))
    words += [each.handler for each in member.handlers]
    if member.caught_up:
        words.append(f"caught up with {count(member.caught_up, 'missed run')}")
    return ", ".join(words)


def _outcome_lines(found: Report) -> Iterator[Line]:
    for member in found.members:
        for outcome in member.outcomes:
            words = f" {outcome.change.action.value} {outcome.change.key}"
            detail = f"  {outcome.detail}" if outcome.detail else ""
            yield line(f"{member.server}  ", word(outcome.result.value), words + detail)


# --- status and diff --------------------------------------------------------------------------------------------


def status(found: PoolStatus) -> View:
    def human(wide: bool) -> Iterator[object]:
        shared: dict[tuple[bool, tuple[str, str, str, str]], list[str]] = {}
        for member in sorted((*found.members, *found.services), key=lambda member: not _unwell(member)):
            shared.setdefault((member in found.services, _status_row(member)), []).append(member.server)
        yield table(
            ("members", "state", "since", "missed", "note"),
            [(fold(servers), *row) for (_, row), servers in shared.items()],
        )
        if found.last:
            by = safe_text(f"{found.last.who}@{found.last.host}")
            yield f"last run {found.last.id} by {by}, {moment(found.last.started)}"

    every = (*found.members, *found.services)
    open_ended = any(map(_unwell, every))
    code = Exit.PARTIAL if open_ended else Exit.OK
    names = [member.server for member in every if _unwell(member)]
    return View("pool.status", found, human, every, names, _status_cases(found), code, well=not open_ended)


def _unwell(member: MemberStatus) -> bool:
    stands = member.result.state if member.result else MemberState.SAME
    good = stands in (MemberState.SAME, MemberState.CHANGED)
    return not good or bool(member.missed or member.unsettled or member.handlers)


def _status_row(member: MemberStatus) -> tuple[str, str, str, str]:
    if member.result is None:
        return "unknown", "", str(len(member.missed)), "never synced"
    notes = [member.result.reason] if member.result.reason else []
    if member.unsettled:
        notes.append(f"{count(member.unsettled, 'change')} of a cut-off run: sync again")
    notes += [f"owes: {each.verb} {' '.join(each.arguments)}" for each in member.handlers]
    good = member.result.state in (MemberState.SAME, MemberState.CHANGED)
    state = "cut off" if member.unsettled else "ok" if good else member.result.state.value
    return state, moment(member.result.at), str(len(member.missed)), "; ".join(notes)


def _status_cases(found: PoolStatus) -> list[Case]:
    return [
        Case(each.server, found.pool, _status_row(each)[3] if _unwell(each) else "")
        for each in (*found.members, *found.services)
    ]


def differences(name: str, found: Sequence[Difference]) -> View:
    def human(wide: bool) -> Iterator[object]:
        for each in found:
            yield line(f"{fold(each.servers)}  {each.agent}  {each.key}", style="bold")
            yield from (_diff_line(text) for text in each.lines)
        yield line(f"{name}: {count(len(found), 'difference')}" if found else f"{name}: all members as declared")

    code = Exit.DIFFERENCES if found else Exit.OK
    names = list(dict.fromkeys(each.key for each in found))
    cases = [Case(server, each.agent, f"{each.key} differs") for each in found for server in each.servers]
    told = {"pool": name, "differences": found}
    return View("pool.diff", told, human, found, names, cases, code, well=not found)


def _diff_line(text: str) -> Line:
    return line(f"  {text}", style={"+": "green", "-": "red", "@": "cyan"}.get(text[:1], ""))
