"""SBM: reads what the rules of servers ask for, one call each, and says how each stands."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from multiall_cli.domain.baseline import Checked, Code, Fact, Reading, Rule, worst
from multiall_cli.domain.errors import MultiAllError, Unreachable
from multiall_cli.domain.health import Change, HealthRecord, Held, Memory, Sample, Waiver
from multiall_cli.domain.inventory import Server
from multiall_cli.domain.run import Step
from multiall_cli.engine.fanout import fan_out
from multiall_cli.engine.held import MARK, fact_key, mark_of, pack, unpack
from multiall_cli.engine.world import World
from multiall_cli.planning.consensus import most_have
from multiall_cli.planning.evaluate import LONGEST, Circumstances, evaluate, is_due, remembered, status_of
from multiall_cli.planning.judge import MOST
from multiall_cli.ports import Session, Store

WITHIN = 5.0  # seconds that the reading of one subject may take
ENDING = 0.3  # seconds that the end of one that hangs may take there
SILENCE = 20.0  # seconds that a member may say nothing: it gives a sign of life with each second
AHEAD = 60.0  # seconds by which clocks of admin hosts may differ
BATCH = 64  # servers whose records are written at once
_CODES = {
    "timeout": Code.TIMEOUT,
    "rights": Code.NO_PRIVILEGE,
    "unsupported": Code.UNSUPPORTED,
    "collect": Code.COLLECT_ERROR,
}
Refine = Callable[[str, Mapping[str, object]], Mapping[str, object]]
"""check, what a member told → its values: what is better known here than there (certificates)."""
Most = Mapping[str, Mapping[str, str | None]]
Readings = dict[Fact, Reading]


@dataclass(frozen=True, slots=True)
class Duty:
    """What is to be looked at on one server. `maintenance`: why its failures are not to be told; `waived`: by rule;
    `brothers`: who shares a pool with it; `known`: what has been read of it already; `aside`: rules that are not looked
    at now and stand as they did.
    """

    server: Server
    rules: tuple[Rule, ...]
    maintenance: str = ""
    waived: Mapping[str, Waiver] = field(default_factory=dict)
    brothers: tuple[str, ...] = ()
    known: Mapping[Fact, Reading] = field(default_factory=dict)
    aside: tuple[Rule, ...] = ()

    @property
    def all_rules(self) -> tuple[Rule, ...]:
        return (*self.rules, *self.aside)

    def circumstances(self, now: float, most: Most | None = None) -> Circumstances:
        return Circumstances(now, self.maintenance, self.waived, most or {})

    @property
    def compares(self) -> bool:
        """Whether it can be judged only when its brothers were looked at too."""
        return any(rule.same for rule in self.rules)


def check(world: World, duties: Sequence[Duty], refine: Refine, keep: float) -> Iterator[Checked]:
    """How each server stands, as they answer; what is held of them is remembered, and history for `keep` seconds.

    Those that are compared with their brothers come last.
    """
    by_name = {duty.server.name: duty for duty in duties}
    ledger = _Ledger(world.store, keep)
    memories = recall(world.store, [*by_name, *(name for duty in duties if duty.compares for name in duty.brothers)])
    readings: dict[str, Readings] = {}
    waiting: list[Duty] = []
    try:
        for server, result in fan_out(
            [duty.server for duty in duties],
            lambda each: _read(world, by_name[each.name], memories[each.name], refine),
            world.parallel,
            world.stop,
        ):
            world.watch(Step("checked", server.name))
            duty = by_name[server.name]
            if isinstance(result, MultiAllError):
                yield ledger.frozen(duty, result, memories[server.name], world.clock.now())
                continue
            readings[server.name] = result
            if duty.compares:
                waiting.append(duty)
                continue
            yield ledger.judged(duty, result, memories[server.name], {}, world.clock.now())
        seen_last = {name: memory.rules for name, memory in memories.items()}
        for duty in waiting:
            name = duty.server.name
            most = most_have(duty.rules, (name, *duty.brothers), readings, seen_last)
            yield ledger.judged(duty, readings[name], memories[name], most, world.clock.now())
    finally:
        ledger.close()


class _Ledger:
    """Judges, and writes down what came of it, many servers in one transaction."""

    def __init__(self, store: Store, keep: float) -> None:
        self._store = store
        self._keep = keep
        self._records: list[HealthRecord] = []

    def judged(self, duty: Duty, read: Readings, memory: Memory, most: Most, now: float) -> Checked:
        name, held = duty.server.name, memory.rules
        circumstances = duty.circumstances(now, most)
        statuses, after = evaluate(name, duty.rules, {**duty.known, **read}, held, circumstances)
        stays = remembered(duty.aside, held, circumstances)
        statuses += tuple(status_of(name, rule, stays[rule.id]) for rule in duty.aside if rule.id in stays)
        after.update(stays)
        marks = {**memory.marks, **{fact_key(fact): each.mark for fact, each in read.items() if each.mark}}
        wanted = {fact_key(rule.fact) for rule in duty.rules}
        kept = Memory(after, {fact: mark for fact, mark in marks.items() if fact in wanted})
        looked = {rule: each for rule, each in after.items() if each.at == now}
        samples = {rule: Sample(now, each.code, each.value) if rule in looked else None for rule, each in after.items()}
        code = worst([each.code for each in statuses])
        if after or held:
            self._records.append(HealthRecord(name, now, code, pack(kept), samples, changes(name, held, after, now)))
        if len(self._records) >= BATCH:
            self.close()
        return Checked(
            name, code, now if duty.rules else max((each.at for each in stays.values()), default=0.0), statuses
        )

    def frozen(self, duty: Duty, fault: MultiAllError, memory: Memory, now: float) -> Checked:
        """Who cannot be asked is as it was, and not known to be well; that is remembered too."""
        found = _frozen(duty, fault, memory, now)
        if duty.all_rules and not duty.maintenance:
            kept = replace(memory, lost=f"{found.code.word}: {fault.what}"[:LONGEST])
            code = worst([found.code, *(each.code for each in found.statuses)])  # what was critical is so still
            self._records.append(HealthRecord(found.server, now, code, pack(kept), {}))
        return found

    def close(self) -> None:
        """Write what has not been written."""
        records, self._records = self._records, []
        if records:
            self._store.note_health(records, records[-1].at - self._keep)


def changes(server: str, before: Mapping[str, Held], after: Mapping[str, Held], now: float) -> list[Change]:
    """The rules that went into another class; not those that are well from the first."""
    found = []
    for rule, each in after.items():
        was = before[rule].code if rule in before else None
        if (was is None and each.code.is_problem) or (was is not None and was // 100 != each.code // 100):
            found.append(Change(now, server, rule, was, each.code, each.shows))
    return found


def recall(store: Store, servers: Sequence[str]) -> dict[str, Memory]:
    """What was held of servers when they were last looked at."""
    kept = store.health(servers)
    return {name: unpack(kept.get(name)) for name in servers}


def recalled(store: Store, duties: Sequence[Duty], now: float, stale: float) -> Iterator[Checked]:
    """How servers stood when they were last looked at; no server is asked. `stale`: the age in seconds from which that
    is not how they stand.
    """
    memories = recall(store, [duty.server.name for duty in duties])
    for duty in duties:
        name = duty.server.name
        held = remembered(duty.all_rules, memories[name].rules, duty.circumstances(now))
        old = {rule.id for rule in duty.all_rules if rule.id in held and _is_old(held[rule.id].at, now, stale, rule)}
        shown = {rule: _grown_stale(each) if rule in old else each for rule, each in held.items()}
        known = [rule for rule in duty.all_rules if rule.id in shown]
        new = [rule for rule in duty.rules if rule.id not in shown] if known else []
        statuses = tuple(status_of(name, rule, shown[rule.id]) for rule in known)
        statuses += tuple(status_of(name, rule, _NEVER) for rule in new)
        at = max((each.at for each in held.values()), default=0.0)
        if memories[name].lost and not duty.maintenance:
            yield Checked(name, Code.UNREACHABLE, at, statuses, memories[name].lost)
        elif duty.rules and not statuses:
            yield Checked(name, Code.STALE, 0.0, (), "it has not been looked at yet")
        elif known and len(old) == len(known):
            yield Checked(name, Code.STALE, at, statuses, "it was last looked at too long ago")
        else:
            yield Checked(name, worst([each.code for each in statuses]), at, statuses)


_NEVER = Held(Code.STALE, 0.0, shows="it has not been looked at yet")


def is_stale(at: float, now: float, stale: float) -> bool:
    """Whether a look is too long ago to go by; or not yet to come by more than clocks differ."""
    return not -AHEAD <= now - at <= stale


def _is_old(at: float, now: float, stale: float, rule: Rule) -> bool:
    return is_stale(at, now, max(stale, 2 * rule.every))


def _grown_stale(held: Held) -> Held:
    return replace(held, code=Code.STALE, hidden=held.hidden or held.code)


def _frozen(duty: Duty, fault: MultiAllError, memory: Memory, now: float) -> Checked:
    """Who cannot be asked is as it was, and not known to be well."""
    held = remembered(duty.all_rules, memory.rules, duty.circumstances(now))
    name = duty.server.name
    statuses = tuple(status_of(name, rule, held[rule.id]) for rule in duty.all_rules if rule.id in held)
    away = isinstance(fault, Unreachable)
    code = Code.MAINTENANCE if duty.maintenance and away else Code.UNREACHABLE if away else Code.COLLECT_ERROR
    at = max((each.at for each in held.values()), default=0.0)
    return Checked(name, code, at, statuses, fault.what)


def _read(world: World, duty: Duty, memory: Memory, refine: Refine) -> Readings:
    if duty.server.name in world.away:
        raise world.away[duty.server.name]
    now = world.clock.now()
    due = [rule for rule in duty.rules if is_due(rule, memory.rules.get(rule.id), now)]
    facts = {rule.fact: rule for rule in due if rule.fact not in duty.known}
    if not facts and not duty.all_rules:
        return {}
    session = world.transport.open(duty.server)
    try:
        return _asked(session, facts, memory.marks, world, refine)
    finally:
        session.close()


def _asked(
    session: Session, facts: Mapping[Fact, Rule], marks: Mapping[str, str], world: World, refine: Refine
) -> Readings:
    """One call for all of them; of a server of which nothing is asked it is known now that it answers."""
    if not facts:
        session.call("ping", timeout=SILENCE, ends=SILENCE).value()
        return {}
    wanted = [[rule.check, dict(rule.subject), mark_of(marks, fact)] for fact, rule in facts.items()]
    ends = (WITHIN + ENDING) * (len(wanted) + 2)
    began = world.clock.now()
    told = session.call("gauge", timeout=SILENCE, ends=ends, wanted=wanted, within=WITHIN).value().get("read")
    ended = world.clock.now()
    answers = told if isinstance(told, list) else []
    found = {}
    for at, (fact, rule) in enumerate(facts.items()):
        found[fact] = _reading(rule, answers[at] if at < len(answers) else None, (began, ended), refine)
    return found


def _reading(rule: Rule, told: object, during: tuple[float, float], refine: Refine) -> Reading:
    """What a member said of one subject, held against sense: it may be hostile."""
    if not isinstance(told, dict):
        return Reading(trouble="the member told nothing of it", code=Code.BAD_OUTPUT)
    if "trouble" in told:
        code = _CODES.get(str(told.get("kind")), Code.COLLECT_ERROR)
        return Reading(trouble=str(told["trouble"])[:500], code=code)
    values = told.get("values")
    if not isinstance(values, dict):
        return Reading(trouble="what the member told of it makes no sense", code=Code.BAD_OUTPUT)
    if rule.check == "clock":
        return Reading(_offset(values.get("now"), during))
    mark = json.dumps(told["mark"]) if told.get("mark") is not None else ""
    try:
        refined = refine(rule.check, {str(key): value for key, value in values.items()})
    except ValueError as fault:
        return Reading(trouble=str(fault)[:500], code=Code.BAD_OUTPUT)
    return Reading(refined, mark=mark if len(mark) <= MARK else "")


def _offset(now: object, during: tuple[float, float]) -> dict[str, object]:
    """By how much its clock is surely wrong: it told its time at some moment of the call."""
    if isinstance(now, bool) or not isinstance(now, int | float) or not 0 <= now <= MOST:
        return {}
    began, ended = during
    return {"offset": max(0.0, began - now, now - ended)}
