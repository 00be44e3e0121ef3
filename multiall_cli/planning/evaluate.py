"""Statuses of rules, from readings, saved states and the time. Pure."""

import json
from collections.abc import Mapping, Sequence, Set
from dataclasses import field, replace

from multiall_cli.domain.baseline import Code, Fact, FactValue, Rule, Status
from multiall_cli.domain.dataclass import dataclass
from multiall_cli.domain.health import RuleState, Waiver
from multiall_cli.planning.checks import CHECKS, Worse, shown
from multiall_cli.planning.thresholds import (
    ThresholdResult,
    comparable,
    compared_as_words,
    is_past,
    judge,
    limited_by,
    measured,
)

LONGEST = 500  # letters of what a status shows
_CAUSES = (4, 5)
"""Classes of codes that explain the failure of dependent rules. A warning must not hide a critical failure."""


@dataclass(frozen=True, slots=True)
class Circumstances:
    """Circumstances that decide a server's statuses.

    `maintenance`: why failures are muted, or ''; `waived`: rule → waiver; `most`: rule → value → the majority value of
    its peers as `comparable`, or None if there is no majority.
    """

    now: float
    maintenance: str = ""
    waived: Mapping[str, Waiver] = field(default_factory=dict)
    most: Mapping[str, Mapping[str, str | None]] = field(default_factory=dict)


def is_due(rule: Rule, held: RuleState | None, now: float) -> bool:
    """Return whether a rule is to be read now.

    A saved state of a rule with another digest does not count. A clock that was set back makes the rule due too.
    """
    return held is None or held.digest != rule.digest or not 0 <= now - held.at < rule.every


def evaluate(
    server: str,
    rules: Sequence[Rule],
    readings: Mapping[Fact, FactValue],
    held: Mapping[str, RuleState],
    circumstances: Circumstances,
) -> tuple[tuple[Status, ...], dict[str, RuleState]]:
    """Return the statuses of one server, and the states to save. `rules`: each after the rules that it needs.

    A rule that is not due is not read: its saved state is shown under the current circumstances.
    """
    failed: set[str] = set()
    after: dict[str, RuleState] = {}
    for rule in rules:
        after[rule.id] = found = stands(rule, readings, held.get(rule.id), failed, circumstances)
        if explains(found):
            failed.add(rule.id)
    return tuple(status_of(server, rule, after[rule.id]) for rule in rules), after


def stands(
    rule: Rule,
    readings: Mapping[Fact, FactValue],
    before: RuleState | None,
    failed: Set[str],
    circumstances: Circumstances,
) -> RuleState:
    """Return the state of one rule. `failed`: earlier rules that explain the failure of rules that need them.

    A rule that became due only after the reading had begun was not read either.
    """
    known = before if before is not None and before.digest == rule.digest else None
    reading = readings.get(rule.fact)
    if known is not None and (reading is None or not is_due(rule, known, circumstances.now)):
        return under(rule, known, failed, circumstances)
    return _after_look(rule, reading or _UNREAD, known, failed, circumstances)


def explains(held: RuleState) -> bool:
    """Return whether this state explains the failure of dependent rules."""
    return (held.hidden or held.code) // 100 in _CAUSES


_UNREAD = FactValue(trouble="it was not read", code=Code.COLLECT_ERROR)


def remembered(
    rules: Sequence[Rule], held: Mapping[str, RuleState], circumstances: Circumstances
) -> dict[str, RuleState]:
    """Return the saved states under the current circumstances. Rules without a valid one are left out."""
    failed: set[str] = set()
    found: dict[str, RuleState] = {}
    for rule in rules:
        before = held.get(rule.id)
        if before is None or before.digest != rule.digest:
            continue
        found[rule.id] = under(rule, before, failed, circumstances)
        if explains(found[rule.id]):
            failed.add(rule.id)
    return found


def under(rule: Rule, before: RuleState, failed: Set[str], circumstances: Circumstances) -> RuleState:
    """Return a saved state under the current circumstances: a waiver may have ended, a downtime may have begun."""
    bare = before.hidden or before.code
    now = max(circumstances.now, before.at)
    code = _shown_as(rule, bare, failed, circumstances, soft=not _long_enough(rule, before.failing, before.looks, now))
    since = before.since if before.code // 100 == code // 100 else circumstances.now
    return replace(before, code=code, since=since, hidden=None if code is bare else bare)


def status_of(server: str, rule: Rule, held: RuleState) -> Status:
    """Return the status of a rule from its saved state and its texts."""
    limited = limited_by(rule)
    return Status(
        server,
        rule.id,
        held.code,
        held.since,
        held.shows,
        held.wanted,
        rule.title,
        rule.todo,
        held.hidden,
        held.value,
        (None, None) if limited is None else (limited.warning, limited.critical),
        limited is not None and CHECKS[rule.check].values[limited.value].worse is Worse.LOW,
        rule.origin,
    )


def _after_look(
    rule: Rule, reading: FactValue, before: RuleState | None, failed: Set[str], circumstances: Circumstances
) -> RuleState:
    """Return the state of one rule after a reading."""
    now = circumstances.now
    judged = _sticky(rule, _among(rule, judge(rule, reading), reading, circumstances), reading, before)
    failing, looks = _failing_since(judged, before, now), _looks(rule, judged, before)
    code = _shown_as(rule, judged.code, failed, circumstances, soft=not _long_enough(rule, failing, looks, now))
    since = min(before.since, now) if before is not None and before.code // 100 == code // 100 else now
    return RuleState(
        code,
        since,
        failing,
        now,
        looks,
        judged.shows[:LONGEST],
        judged.wanted[:LONGEST],
        None if code is judged.code else judged.code,
        measured(rule, reading),
        _told(rule, reading),
        rule.digest,
    )


def _among(rule: Rule, judged: ThresholdResult, reading: FactValue, circumstances: Circumstances) -> ThresholdResult:
    """Return DRIFT if a value is as wanted but differs from the majority of peers."""
    if judged.code is not Code.OK or not rule.same:
        return judged
    most = circumstances.most.get(rule.id, {})
    for name in rule.same:
        measure = CHECKS[rule.check].values[name].measure
        if name not in most or name not in reading.values:
            continue
        has, wanted = f"{name} {shown(measure, reading.values[name])}", most[name]
        if wanted is None:
            return ThresholdResult(Code.DRIFT, has, "what most brothers have, and they do not agree")
        if comparable(reading.values[name]) != wanted:
            return ThresholdResult(Code.DRIFT, has, f"{compared_as_words(wanted, measure)}, as most brothers have")
    return judged


def _told(rule: Rule, reading: FactValue) -> str:
    """Return the values to compare with peers, as JSON."""
    told = {name: comparable(reading.values[name]) for name in rule.same if name in reading.values}
    return json.dumps(told) if told else ""


def _failing_since(judged: ThresholdResult, before: RuleState | None, now: float) -> float:
    """Return since when the rule fails, 0 if it does not.

    A clock that was set back must not turn a failure into success. A pending result changes nothing.
    """
    known = min(before.failing, now) if before is not None else 0.0
    if judged.code is Code.PENDING:
        return known
    return (known or now) if judged.code.is_problem else 0.0


def _looks(rule: Rule, judged: ThresholdResult, before: RuleState | None) -> str:
    """Return the newest results, as many as `often` covers."""
    known = before.looks if before is not None else ""
    if rule.often[1] == 1 or judged.code is Code.PENDING:
        return known
    return (known + ("x" if judged.code.is_problem else "."))[-rule.often[1] :]


def _long_enough(rule: Rule, failing: float, looks: str, now: float) -> bool:
    """Return whether a failure is long and frequent enough to report."""
    return now - failing >= rule.lasting and (rule.often[1] == 1 or looks.count("x") >= rule.often[0])


def _sticky(rule: Rule, judged: ThresholdResult, reading: FactValue, before: RuleState | None) -> ThresholdResult:
    """Keep a failure until its value passes `clear`: a hovering value must not cause repeated reports."""
    if rule.clear is None or judged.code is not Code.OK or before is None or before.code is Code.SOFT_FAIL:
        return judged
    limited, has = limited_by(rule), measured(rule, reading)
    if limited is None or has is None or (before.hidden or before.code) // 100 not in (3, 4):
        return judged
    if not is_past(has, rule.clear, rule):
        return judged
    value = CHECKS[rule.check].values[limited.value]
    sign = "<" if value.worse is Worse.HIGH else ">="
    return ThresholdResult(Code.WARN_LIMIT, judged.shows, f"{sign} {shown(value.measure, rule.clear)} to be well again")


def _shown_as(rule: Rule, code: Code, failed: Set[str], circumstances: Circumstances, *, soft: bool) -> Code:
    """Return the code to report."""
    if not code.is_problem:
        return code
    if circumstances.maintenance:
        return Code.MAINTENANCE
    if rule.id in circumstances.waived:
        return Code.EXEMPT
    if not failed.isdisjoint(rule.needs):
        return Code.SUPPRESSED
    return Code.SOFT_FAIL if soft else code
