"""Health in words and tables."""

import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from time import time

from multiall_cli.cli.render.document import console, line, say, table
from multiall_cli.cli.render.health_exports import FORMS, NO_RULES, nagios_code
from multiall_cli.cli.render.json_form import as_yaml
from multiall_cli.cli.render.result import Case, View
from multiall_cli.cli.render.rich_output import put
from multiall_cli.cli.render.text import count, safe_text
from multiall_cli.cli.render.times import moment, span
from multiall_cli.domain.baseline import UNKNOWN, Code, Rule, ServerHealth, Status, worst
from multiall_cli.domain.errors import Fault, UsageError
from multiall_cli.domain.exits import Exit
from multiall_cli.domain.health import Health, PoolHealth, RuleHistory, Sample, Waiver
from multiall_cli.domain.inventory import Inventory
from multiall_cli.domain.remedy import Remedied, Remedies
from multiall_cli.domain.rule_source import Saying
from multiall_cli.planning.checks import CHECKS, Worse
from multiall_cli.planning.rule_generation import GeneratedRules
from multiall_cli.planning.rule_tests import RuleTest
from multiall_cli.planning.rule_text import describe_rule
from multiall_cli.planning.targets import fold


def checked(health: Health, left: Sequence[str], least: int, schema: str = "baseline.check") -> View:
    """One line per problem, folded over the members that have it. `least`: the rank that counts as a problem."""
    health = replace(health, left=tuple(left))
    answers = health.servers
    bad = [each for answer in answers for each in answer.problems]
    unknown = _is_unknown(health)
    weak = any(each.code.is_problem for each in health.pools)

    def human(wide: bool) -> Iterator[object]:
        shown = [each for answer in answers for each in answer.statuses] if wide else bad
        if shown:
            yield table(("status", "rule", "servers", "shows", "wanted"), _folded(shown))
        yield from _advice(bad)
        yield from _ending(health.ending)
        yield from _pools(health.pools, wide=wide)
        yield from _sums(health)

    def urgent() -> Iterator[object]:
        for row in _folded(bad):
            yield line("  ".join(filter(None, row)))
        yield from _pools(health.pools, wide=False)
        yield from _sums(health)

    return View(
        schema,
        {"servers": answers, "pools": health.pools, "ending": health.ending, "left": left},
        human,
        [*_items(health)],
        sorted({*(each.server for each in bad), *health.lost}),
        [
            *(
                Case(each.rule, answer.server, _fault(each), each.origin)
                for answer in answers
                for each in answer.statuses
            ),
            *(Case("server", server, words) for server, words in health.lost.items()),
        ],
        exit=_exit(health, least, unknown=unknown),
        well=not (bad or unknown or left or weak),
        urgent=urgent,
        drawings={name: partial(write, health) for name, write in FORMS.items()},
        codes={"nagios": nagios_code(health)},
    )


def _is_unknown(health: Health) -> bool:
    """Whether there is anything of which it is not known how it stands."""
    codes = [each.code for answer in health.servers for each in answer.statuses]
    lost = [each for each in health.servers if each.trouble and each.code is not Code.MAINTENANCE]
    return bool(lost) or health.is_idle or any(code // 100 == UNKNOWN for code in codes)


def _exit(health: Health, least: int, *, unknown: bool) -> Exit:
    if health.left:
        return Exit.INTERRUPTED
    if any(code.rank >= least for code in _weighed(health)):
        return Exit.DIFFERENCES
    return Exit.PARTIAL if unknown else Exit.OK


def _weighed(health: Health) -> Iterator[Code]:
    """What may be a problem: of rules, and of pools of which it is known whether they have their quorum."""
    yield from (each.code for answer in health.servers for each in answer.problems)
    yield from (each.code for each in health.pools if each.quorum is not None and each.code // 100 != UNKNOWN)


def _items(health: Health) -> Iterator[object]:
    """Each status; and each server of which there is none, or not as it is now, with the reason."""
    for each in health.servers:
        yield from each.statuses
        if each.trouble or not each.statuses:
            yield {"server": each.server, "code": each.code, "at": each.at, "trouble": each.trouble}
    for name in health.left:
        yield {"server": name, "code": Code.STALE, "at": 0.0, "trouble": "not looked at"}


def _pools(pools: Sequence[PoolHealth], *, wide: bool) -> Iterator[object]:
    """How pools stand that declare a quorum; all of them where it is wide."""
    for each in pools:
        if wide or each.quorum is not None:
            quorum = "" if each.quorum is None else f", quorum {each.quorum}"
            words = f"{each.working} of {each.members} members work{quorum}"
            yield safe_text(f"pool {each.pool}: {each.code.value} {each.code.word} ({words})")


def _ending(waivers: Sequence[Waiver]) -> Iterator[object]:
    for each in waivers:
        yield safe_text(f"{_name(each)} of {each.rule} on {each.target} ends {moment(each.ends)} ({each.because})")


def _name(waiver: Waiver) -> str:
    return f"waiver {waiver.number}" if waiver.number else f"the exception ({waiver.origin})"


def _fault(status: Status) -> str:
    return f"{status.code.value} {status.code.word}: {status.shows}" if status.code.is_problem else ""


def _folded(statuses: Sequence[Status]) -> list[tuple[str, str, str, str, str]]:
    """The worst first; of members whose values differ, the first one's is shown."""
    groups: dict[tuple[Code, str, str], list[Status]] = {}
    for each in statuses:
        groups.setdefault((each.code, each.rule, each.wanted), []).append(each)
    ranked = sorted(groups.items(), key=lambda item: (-item[0][0].rank, item[0][0], item[0][1]))
    rows = []
    for (code, rule, wanted), own in ranked:
        shows = sorted({each.shows for each in own})
        more = f" and {len(shows) - 1} other" + ("s" if len(shows) > 2 else "") if len(shows) > 1 else ""
        rows.append((f"{code.value} {code.word}", rule, fold(each.server for each in own), shows[0] + more, wanted))
    return rows


def _advice(bad: Sequence[Status]) -> Iterator[object]:
    told = {each.rule: each.todo for each in bad if each.todo}
    for rule, todo in sorted(told.items()):
        yield safe_text(f"{rule}: {todo}")


def _sums(health: Health) -> Iterator[object]:
    """Who was not looked at, how many of which class there are, and what is left."""
    answers, now = health.servers, time()
    if health.is_idle:
        yield line(NO_RULES, style="bold")
        return
    for each in answers:
        if each.trouble:
            known = f"; it is shown as it was {span(max(0.0, now - each.at))} ago" if each.statuses and each.at else ""
            yield safe_text(f"{each.server}: {each.code.value} {each.code.word}: {each.trouble}{known}")
    if never := [each.server for each in answers if _is_new(each)]:
        yield safe_text(f"nothing is known yet of {fold(never)}: `multiall baseline check` looks")
    if answers:
        worst_of_all = worst([answer.code for answer in answers])
        told = f"{count(len(answers), 'server')}: {_counted(answers)}"
        yield line(f"{told}; the worst is {worst_of_all.value} {worst_of_all.word}", style="bold")
    if health.left:
        yield safe_text(f"interrupted before all members were looked at; not looked at: {fold(health.left)}")


def _counted(answers: Sequence[ServerHealth]) -> str:
    """Statuses by their class, and servers that have none by the reason."""
    codes = Counter(status.code for answer in answers for status in answer.statuses)
    classes = Counter(_CLASSES[code // 100] for code in codes.elements())
    asides = Counter(_aside(each) for each in answers if each.trouble and not each.statuses)
    told = [f"{classes[name]} {name}" for name in _CLASSES.values() if classes[name]]
    return ", ".join([*told, *(f"{number} {words}" for words, number in asides.items())]) or "no rules"


_CLASSES = {4: "critical", 5: "unknown", 3: "warning", 1: "neutral", 2: "good"}


def _aside(answer: ServerHealth) -> str:
    if answer.code is Code.MAINTENANCE:
        return "in maintenance"
    return "not looked at yet" if _is_new(answer) else answer.code.word


def _is_new(answer: ServerHealth) -> bool:
    """Whether it has rules, and was never looked at."""
    return answer.code is Code.STALE and not answer.statuses


def explained(server: str, rules: Sequence[Rule]) -> View:
    def human(wide: bool) -> Iterator[object]:
        for rule in rules:
            yield line(f"{rule.id}: {rule.title or CHECKS[rule.check].means}", style="bold")
            for key, value in describe_rule(rule).items():
                yield safe_text(f"  {key:<10} {value:<24} {rule.where[key]}")
        if not rules:
            yield f"{server} has no rules: its pools take no pack (`baseline: [linux]`)"

    told = {"server": server, "rules": rules}
    return View("baseline.explain", told, human, rules, [each.id for each in rules], well=False)


def waivers(found: Sequence[Waiver]) -> View:
    def human(wide: bool) -> Iterator[object]:
        rows = [
            (str(each.number or ""), each.rule, each.target, moment(each.ends), each.who, each.because)
            for each in found
        ]
        if rows:
            yield table(("number", "rule", "on", "until", "who", "because"), rows)
        else:
            yield "no rule is waived"

    return View("baseline.waivers", {"waivers": found}, human, found, [each.rule for each in found], well=False)


def waived(made: Waiver) -> View:
    def human(wide: bool) -> Iterator[object]:
        yield safe_text(f"waiver {made.number}: {made.rule} may fail on {made.target} until {moment(made.ends)}")

    return View("baseline.waive", {"waiver": made}, human, [made], [str(made.number)], well=False)


def revoked(ended: Waiver) -> View:
    def human(wide: bool) -> Iterator[object]:
        yield safe_text(f"waiver {ended.number} is over: {ended.rule} counts again on {ended.target}")

    return View("baseline.revoke", {"waiver": ended}, human, [ended], [str(ended.number)], well=False)


def rules(found: Mapping[str, Sequence[Rule]]) -> View:
    """The rules of servers, folded over those that have the same."""

    def human(wide: bool) -> Iterator[object]:
        groups: dict[tuple[str, str, str, str], list[str]] = {}
        for server, own in found.items():
            for rule in own:
                groups.setdefault((rule.id, rule.check, rule.title, str(rule.origin)), []).append(server)
        rows = [(*key[:3], fold(servers), key[3]) for key, servers in groups.items()]
        if rows:
            heads = ("rule", "check", "about", "servers", "from")
            yield table(heads if wide else heads[:4], [row if wide else row[:4] for row in rows])
        else:
            yield NO_RULES

    names = sorted({rule.id for own in found.values() for rule in own})
    items = [{"server": server, "rules": own} for server, own in found.items()]
    return View("baseline.rules", {"servers": items}, human, items, names, well=False)


BARS = "▁▂▃▄▅▆▇█"
WIDE = 40  # bars of a line: it shows that many looks, or as many spans
_MARKS = {1: "·", 2: "▁", 3: "▄", 4: "█", 5: "?"}


def history(found: Sequence[RuleHistory]) -> View:
    def human(wide: bool) -> Iterator[object]:
        for each in found:
            yield line(f"{each.server} {each.rule}", style="bold")
            if not each.samples:
                yield "  it has not been looked at in that time"
                continue
            first, last = each.samples[0], each.samples[-1]
            yield f"  {sparkline(each.samples)}  {count(len(each.samples), 'look')}"
            yield f"  {moment(first.at)} to {moment(last.at)}; now {last.code.value} {last.code.word}"
            for change in each.changes:
                before = "new" if change.before is None else f"{change.before.value} {change.before.word}"
                words = f"{before} → {change.after.value} {change.after.word}"
                yield safe_text(f"  {moment(change.at)}  {words}  {change.shows}")

    return View("baseline.history", {"history": found}, human, found, [each.server for each in found], well=False)


def sparkline(samples: Sequence[Sample]) -> str:
    """Of the values where all looks have one, else of the classes; of several looks in one bar the worst is shown."""
    values = [each.value for each in samples]
    groups = [samples[len(samples) * at // WIDE : len(samples) * (at + 1) // WIDE] for at in range(WIDE)]
    bars = [group for group in (groups if len(samples) > WIDE else [[each] for each in samples]) if group]
    if any(value is None for value in values):
        return "".join(_MARKS[worst([each.code for each in group]) // 100] for group in bars)
    known = [value for value in values if value is not None]
    low, high = min(known), max(known)
    scale = (len(BARS) - 1) / (high - low) if high > low else 0.0
    return "".join(BARS[int((max(each.value or 0.0 for each in group) - low) * scale)] for group in bars)


def moved(before: ServerHealth | None, after: ServerHealth) -> View:
    """A server that can no longer be looked at, or can again, while a watch looks."""
    was = "" if before is None else f"{before.code.value} {before.code.word} → "
    words = f"{moment(time())}  {after.server}: {was}{after.code.value} {after.code.word}"
    words += f"  {after.trouble}" if after.trouble else ""
    value = {"server": after.server, "before": before and before.code, "after": after.code, "trouble": after.trouble}
    return View("baseline.server", value, lambda wide: [safe_text(words)], [value], [after.server], well=False)


def turned(server: str, before: Status | None, after: Status) -> View:
    """One rule that went into another class, while a watch looks."""
    was = "" if before is None else f"{before.code.value} {before.code.word} → "
    shows = f"  {after.shows}" if after.shows else ""
    words = f"{moment(time())}  {server} {after.rule}: {was}{after.code.value} {after.code.word}{shows}"
    value = {"server": server, "rule": after.rule, "before": before and before.code, "status": after}
    return View("baseline.change", value, lambda wide: [safe_text(words)], [value], [server], well=False)


def remedies(planned: Remedies) -> View:
    """What would be done."""

    def human(wide: bool) -> Iterator[object]:
        yield from _remedies(planned)

    code = Exit.DIFFERENCES if planned.chosen else Exit.PARTIAL if planned.unseen or planned.cooling else Exit.OK
    value = {"remedies": planned.chosen, "unseen": planned.unseen, "cooling": planned.cooling}
    names = [each.server for each in planned.chosen]
    items = [*planned.chosen, *planned.cooling]
    return View("baseline.remedies", value, human, items, names, exit=code, well=code is Exit.OK)


def _remedies(planned: Remedies) -> Iterator[object]:
    if planned.chosen:
        rows = [(e.server, e.rule, f"{e.code.value} {e.code.word}", e.shows, str(e.action)) for e in planned.chosen]
        yield table(("server", "rule", "status", "shows", "remedy"), rows)
    elif not planned.cooling:
        yield "nothing to remedy: no rule that declares a remedy fails"
    yield from _undone(planned)


def _undone(planned: Remedies) -> Iterator[object]:
    """What is not remedied now, and may have to be."""
    now = time()
    for each in planned.cooling:
        failing = f"{each.remedy.server} {each.remedy.rule} still fails"
        ago = span(max(0.0, now - each.applied))
        yield safe_text(
            f"{failing}; its remedy was applied {ago} ago and is not applied again before {moment(each.until)}"
        )
    for server, why in planned.unseen.items():
        yield safe_text(f"{server} could not be looked at: {why}")


def show_remedies(planned: Remedies) -> None:
    """On stderr, before the question."""
    screen = console(sys.stderr)
    for each in _remedies(planned):
        put(screen, each)


def remedied(planned: Remedies, done: Sequence[Remedied]) -> View:
    left = planned.chosen[len(done) :]

    def human(wide: bool) -> Iterator[object]:
        rows = [
            (e.remedy.server, e.remedy.rule, str(e.remedy.action), "done" if e.helped else "failed", e.trouble)
            for e in done
        ]
        yield table(("server", "rule", "remedy", "result", "why"), rows)
        more = f"; {count(len(left), 'remedy', 'remedies')} left alone, since one did not help" if left else ""
        helped = sum(1 for each in done if each.helped)
        run = f"; run {done[0].run}" if done else ""
        yield line(f"{helped} of {count(len(planned.chosen), 'remedy', 'remedies')} helped{more}{run}", style="bold")
        yield from _undone(planned)

    well = not (left or planned.unseen or planned.cooling) and all(each.helped for each in done)
    value = {"done": done, "left": left, "unseen": planned.unseen, "cooling": planned.cooling}
    names = [e.remedy.server for e in done]
    code = Exit.OK if well else Exit.PARTIAL
    return View("baseline.remedy", value, human, done, names, exit=code, well=False)


def learned(found: GeneratedRules, to: Path | None) -> View:
    """The text of a pack's file, where there is anything to learn; what was not told is said beside it. Errors:
    UsageError where it cannot be written.
    """
    text = pack_text(found)
    if to is not None and found.rules:
        _write_anew(to, text)

    def human(wide: bool) -> Iterator[object]:
        if not found.rules:
            return
        if to is None:
            yield from text.splitlines()
        else:
            yield safe_text(f"{count(len(found.rules), 'rule')} written to {to}")

    for server, words in found.troubles.items():
        say(f"{server}: {words}")
    if not found.rules:
        say("nothing was learnt" + (f", and {to} was not written" if to is not None else ""))
    code = Exit.PARTIAL if found.troubles or not found.rules else Exit.OK
    items = [{"rule": name, **words} for name, words in found.rules.items()]
    return View("baseline.learn", found, human, items, list(found.rules), exit=code, well=False)


def pack_text(found: GeneratedRules) -> str:
    """A file of rules/."""
    head = safe_text(f"# Learnt of {fold(found.servers) or 'nobody'}: see whether each of it is meant to be so.")
    return f"{head}\n{as_yaml({'rules': found.rules})}"


def _write_anew(file: Path, text: str) -> None:
    """Errors: UsageError: what is there is not written over."""
    try:
        with file.open("x", encoding="utf-8") as opened:
            opened.write(text)
    except FileNotFoundError:
        raise UsageError(str(file), "its folder is not there", "make it, or name another") from None
    except FileExistsError:
        raise UsageError(str(file), "it is there already", "name a file that is not there") from None
    except OSError as fault:
        raise UsageError(str(file), f"it cannot be written ({fault.strerror})", "name another place") from None


def tried(found: Sequence[RuleTest]) -> View:
    """The rules that do not do what they should; wide: all."""
    bad = [each for each in found if not each.as_wanted]

    def human(wide: bool) -> Iterator[object]:
        shown = found if wide else bad
        if shown:
            rows = [(each.pack, each.rule, each.example, _verdict(each), each.fault or each.shows) for each in shown]
            yield table(("pack", "rule", "example", "status", "why"), rows)
        yield line(f"{count(len(found), 'example')}: {len(found) - len(bad)} as wanted, {len(bad)} not", style="bold")

    cases = [Case(each.pack, f"{each.rule} {each.example}", "" if each.as_wanted else _verdict(each)) for each in found]
    code = Exit.DIFFERENCES if bad else Exit.OK
    names = sorted({each.rule for each in bad})
    return View("baseline.test", {"examples": found}, human, found, names, cases, exit=code, well=not bad)


def _verdict(trial: RuleTest) -> str:
    return "failed" if trial.fault else f"{trial.code.value} {trial.code.word}"


def linted(found: Sequence[Fault]) -> View:
    def human(wide: bool) -> Iterator[object]:
        yield from (safe_text(str(each)) for each in found)
        yield line("nothing odd" if not found else count(len(found), "odd thing"), style="bold")

    cases = [Case(each.origin.file, str(each.origin), each.what, each.origin) for each in found]
    code = Exit.DIFFERENCES if found else Exit.OK
    return View("baseline.lint", {"odd": found}, human, found, (), cases, exit=code, well=not found)


def packs(found: Mapping[str, Mapping[str, Saying]], inventory: Inventory) -> View:
    users = {name: [pool.name for pool in inventory.pools.values() if name in pool.baseline] for name in found}

    def human(wide: bool) -> Iterator[object]:
        rows = [(name, str(len(rules)), ", ".join(users[name]) or "none") for name, rules in sorted(found.items())]
        yield table(("pack", "rules", "pools"), rows) if rows else "there are none"

    value = {name: list(rules) for name, rules in found.items()}
    return View("baseline.packs", {"packs": value}, human, [value], sorted(found), well=False)


def checks() -> View:
    def human(wide: bool) -> Iterator[object]:
        for name, each in CHECKS.items():
            yield line(f"{name}: {each.means}", style="bold")
            for key, measure in {**each.subject, **each.optional}.items():
                may = "" if key in each.subject else " (may be left out)"
                yield f"  {key:<10} {measure.value}{may}"
            for key, value in each.values.items():
                yield f"  {key:<10} {value.means}: {value.measure.value}{_LIMITS[value.worse]}"

    told = {name: {"means": each.means, "values": list(each.values)} for name, each in CHECKS.items()}
    return View("baseline.checks", {"checks": told}, human, [told], list(CHECKS), well=False)


_LIMITS = {Worse.HIGH: "; bad from a limit on", Worse.LOW: "; bad below a limit", Worse.NEITHER: ""}


def codes() -> View:
    def human(wide: bool) -> Iterator[object]:
        rows = [(str(code.value), code.word, code.meaning, str(code.nagios)) for code in Code]
        yield table(("code", "name", "means", "nagios"), rows)

    told = [{"code": code.value, "name": code.word, "meaning": code.meaning, "nagios": code.nagios} for code in Code]
    return View("baseline.codes", {"codes": told}, human, told, [str(code.value) for code in Code], well=False)
