"""Health in words and tables."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from multiall_cli.cli.render.terminal import line, table
from multiall_cli.cli.render.text import count, safe_text
from multiall_cli.cli.render.view import Case, View
from multiall_cli.domain.baseline import Checked, Code, Rule, Status, worst
from multiall_cli.domain.exits import Exit
from multiall_cli.domain.inventory import Inventory
from multiall_cli.domain.sayings import Saying
from multiall_cli.planning.checks import CHECKS, Worse
from multiall_cli.planning.targets import fold


def checked(answers: Sequence[Checked], left: Sequence[str], least: int) -> View:
    """One line per problem, folded over the members that have it. `least`: the rank that counts as a problem."""
    bad = [each for answer in answers for each in answer.problems]
    unknown = [each for each in answers if each.trouble and each.code is not Code.MAINTENANCE]

    def human(wide: bool) -> Iterator[object]:
        shown = [each for answer in answers for each in answer.statuses] if wide else bad
        if shown:
            yield table(("status", "rule", "servers", "shows", "wanted"), _folded(shown))
        yield from _advice(bad)
        yield from _sums(answers, left)

    def urgent() -> Iterator[object]:
        for row in _folded(bad):
            yield line("  ".join(filter(None, row)))
        yield from _sums(answers, left)

    counts = any(each.code.rank >= least for each in bad)
    code = Exit.DIFFERENCES if counts else Exit.PARTIAL if unknown or left else Exit.OK
    return View(
        "baseline.check",
        {"servers": answers, "left": left},
        human,
        [each for answer in answers for each in answer.statuses],
        sorted({each.server for each in bad}),
        [Case(each.rule, answer.server, _fault(each)) for answer in answers for each in answer.statuses],
        exit=code,
        well=not bad and not unknown and not left,
        urgent=urgent,
    )


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


def _sums(answers: Sequence[Checked], left: Sequence[str]) -> Iterator[object]:
    for each in answers:
        if each.trouble:
            yield safe_text(f"{each.server}: {each.code.value} {each.code.word}: {each.trouble}")
    if left:
        yield safe_text(f"not looked at: {fold(left)}")
    codes = Counter(status.code for answer in answers for status in answer.statuses)
    classes = Counter(_CLASSES[code // 100] for code in codes.elements())
    told = ", ".join(f"{classes[name]} {name}" for name in _CLASSES.values() if classes[name]) or "no rules"
    worst_of_all = worst([answer.code for answer in answers])
    yield line(
        f"{count(len(answers), 'server')}: {told}; the worst is {worst_of_all.value} {worst_of_all.word}", style="bold"
    )


_CLASSES = {4: "critical", 5: "unknown", 3: "warning", 1: "neutral", 2: "good"}


def explained(server: str, rules: Sequence[Rule]) -> View:
    def human(wide: bool) -> Iterator[object]:
        for rule in rules:
            yield line(f"{rule.id}: {rule.title or CHECKS[rule.check].means}", style="bold")
            for key, origin in rule.where.items():
                yield safe_text(f"  {key:<10} {origin}")
        if not rules:
            yield f"{server} has no rules: its pools take no pack (`baseline: [linux]`)"

    told = {"server": server, "rules": rules}
    return View("baseline.explain", told, human, rules, [each.id for each in rules], well=False)


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
