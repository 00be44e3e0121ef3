"""Health checks (SBM): read the facts that rules need, one call per server, and return the status of each rule."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field, replace

from multiall_cli.domain.baseline import Code, Fact, FactValue, Rule, ServerHealth, is_stale, worst
from multiall_cli.domain.dataclass import dataclass
from multiall_cli.domain.errors import MultiAllError, Unreachable
from multiall_cli.domain.health import HealthRecord, HealthState, RuleState, Samples, Transition, Waiver
from multiall_cli.domain.inventory import Server
from multiall_cli.domain.run import Progress
from multiall_cli.engine.check_cache import CacheEntry, CheckCache, PriorState, SavedCheck, pasts, written
from multiall_cli.engine.context import Context
from multiall_cli.engine.fact_client import FactClient, FactRequest, Readings, Refine, ask, collect_changes, to_ask
from multiall_cli.engine.fanout import fan_out
from multiall_cli.engine.health_codec import pack, unpack
from multiall_cli.planning.consensus import Consensus
from multiall_cli.planning.evaluate import LONGEST, Circumstances, is_due, remembered, status_of
from multiall_cli.planning.reevaluate import Evaluation, evaluate_all, reevaluate
from multiall_cli.ports.store import Store

BATCH = 64  # servers whose records are written at once
Most = Mapping[str, Mapping[str, str | None]]


@dataclass(frozen=True, slots=True)
class CheckJob:
    """Work of a check on one server.

    `maintenance`: why its failures are not reported; `waived`: waivers by rule; `group`: servers that share a pool with
    it, itself included; `known`: readings that exist already; `aside`: rules that are not checked now and keep their
    status.
    """

    server: Server
    rules: tuple[Rule, ...]
    maintenance: str = ""
    waived: Mapping[str, Waiver] = field(default_factory=dict)
    group: tuple[str, ...] = ()
    known: Mapping[Fact, FactValue] = field(default_factory=dict)
    aside: tuple[Rule, ...] = ()

    @property
    def all_rules(self) -> tuple[Rule, ...]:
        return (*self.rules, *self.aside)

    def circumstances(self, now: float, most: Most | None = None) -> Circumstances:
        return Circumstances(now, self.maintenance, self.waived, most or {})

    @property
    def compares(self) -> bool:
        """Return whether its rules need readings of its peers first."""
        return len(self.group) > 1 and any(rule.same for rule in self.rules)


def check(
    context: Context, duties: Sequence[CheckJob], refine: Refine, keep: float, recent: CheckCache | None = None
) -> Iterator[ServerHealth]:
    """Check servers and yield each result as it arrives. Saves states, and history for `keep` seconds.

    Servers that are compared with their peers come last. `recent`: cache that the next check continues from; members
    then save their last answer too.
    """
    by_name = {duty.server.name: duty for duty in duties}
    ledger = _Ledger(context.store, keep, recent)
    groups = {duty.group for duty in duties if duty.compares}
    known = pasts(context.store, [*by_name], recent)
    readings: dict[str, Readings] = {}
    waiting: list[tuple[CheckJob, FactRequest]] = []
    try:
        for server, result in fan_out(
            [duty.server for duty in duties],
            lambda each: _read(context, by_name[each.name], known[each.name], refine, keeps=recent is not None),
            context.parallel,
            context.stop,
        ):
            context.watch(Progress("checked", server.name))
            duty = by_name[server.name]
            if isinstance(result, MultiAllError):
                yield ledger.frozen(duty, result, known[server.name].memory, context.clock.now())
                continue
            readings[server.name] = result.readings
            if duty.compares:
                waiting.append((duty, result))
                continue
            yield ledger.judged(duty, result, known[server.name], {}, context.clock.now())
        others = {name for group in groups for name in group} - by_name.keys() if waiting else set()
        consensus = Consensus(readings, _seen_last(context.store, sorted(others), known))
        for duty, result in waiting:
            most = consensus.most(duty.rules, duty.group)
            yield ledger.judged(duty, result, known[duty.server.name], most, context.clock.now())
    finally:
        ledger.close()


def _seen_last(
    store: Store, others: Sequence[str], known: Mapping[str, PriorState]
) -> dict[str, Mapping[str, RuleState]]:
    """Return the saved states of these servers, and of peers that are not checked now."""
    found = {name: memory.rules for name, memory in recall(store, others).items()} if others else {}
    return {**found, **{name: past.held for name, past in known.items()}}


class _Ledger:
    """Judge of readings, and writer of the results of many servers in one transaction."""

    def __init__(self, store: Store, keep: float, recent: CheckCache | None) -> None:
        self._store = store
        self._keep = keep
        self._recent = recent
        self._records: list[HealthRecord] = []

    def judged(self, duty: CheckJob, asked: FactRequest, past: PriorState, most: Most, now: float) -> ServerHealth:
        name, circumstances, before = duty.server.name, duty.circumstances(now, most), past.of(duty.rules)
        held = past.memory.rules if before is None else before.aside
        found = _stood(duty, asked, held, before, circumstances)
        stays = remembered(duty.aside, held, circumstances)
        code = worst([*found.codes, *(each.code for each in stays.values())])
        if found.rules or stays or held:
            was = held if before is None else before.stood.held
            turned = [*changes(name, was, found.held_anew, now), *changes(name, held, stays, now)]
            made, marks = written(found, stays, before), past.marks_with(asked, duty.rules)
            kept = CacheEntry(made.packed(marks), made, marks, past.asked_with(asked))
            self._note(HealthRecord(name, now, code, kept.packed, made.samples, turned), kept)
        at = now if duty.rules else max((each.at for each in stays.values()), default=0.0)
        beside = tuple(status_of(name, rule, stays[rule.id]) for rule in duty.aside if rule.id in stays)
        return ServerHealth(name, code, at, found.statuses + beside)

    def _note(self, record: HealthRecord, kept: CacheEntry) -> None:
        if self._recent is not None:
            self._recent.put(record.server, kept)
        self._records.append(record)
        if len(self._records) >= BATCH:
            self.close()

    def frozen(self, duty: CheckJob, fault: MultiAllError, memory: HealthState, now: float) -> ServerHealth:
        """Return and save the last known statuses of a server that cannot be asked, with the failure."""
        found = _frozen(duty, fault, memory, now)
        if duty.all_rules and not duty.maintenance:
            kept = replace(memory, lost=_lost(found.code, fault.what))
            # a rule that was critical still counts as critical
            code = worst([found.code, *(each.code for each in found.statuses)])
            self._records.append(HealthRecord(found.server, now, code, pack(kept), Samples()))
        return found

    def close(self) -> None:
        """Write the records that are still in memory."""
        records, self._records = self._records, []
        if records:
            self._store.health.save_checks(records, records[-1].at - self._keep)


def changes(
    server: str, before: Mapping[str, RuleState], after: Mapping[str, RuleState], now: float
) -> list[Transition]:
    """Return the rules that went into another class. A rule that is good at its first check is no change."""
    found = []
    for rule, each in after.items():
        was = before[rule].code if rule in before else None
        if (was is None and each.code.is_problem) or (was is not None and was // 100 != each.code // 100):
            found.append(Transition(now, server, rule, was, each.code, each.shows))
    return found


def recall(store: Store, servers: Sequence[str]) -> dict[str, HealthState]:
    """Return the saved states of servers at their last check."""
    kept = store.health.servers(servers)
    return {name: unpack(kept.get(name)) for name in servers}


def recalled(store: Store, duties: Sequence[CheckJob], now: float, stale: float) -> Iterator[ServerHealth]:
    """Yield the results of servers' last checks. Asks no server.

    `stale`: the age in seconds from which a result no longer counts as the current state.
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
            code, why = _why_lost(memories[name].lost)
            yield ServerHealth(name, code, at, statuses, why)
        elif duty.rules and not statuses:
            yield ServerHealth(name, Code.STALE, 0.0, (), "it has not been looked at yet")
        elif known and len(old) == len(known):
            yield ServerHealth(name, Code.STALE, at, statuses, "it was last looked at too long ago")
        else:
            yield ServerHealth(name, worst([each.code for each in statuses]), at, statuses)


def _lost(code: Code, why: str) -> str:
    """Return the text that is saved of a failed check."""
    return f"{code.word}: {why}"[:LONGEST]


def _why_lost(words: str) -> tuple[Code, str]:
    """Return the code and the reason of a saved text."""
    word, _, why = words.partition(": ")
    known = {code.word: code for code in (Code.UNREACHABLE, Code.COLLECT_ERROR)}
    return (known[word], why) if word in known else (Code.UNREACHABLE, words)


_NEVER = RuleState(Code.STALE, 0.0, shows="it has not been looked at yet")


def _is_old(at: float, now: float, stale: float, rule: Rule) -> bool:
    return is_stale(at, now, max(stale, 2 * rule.every))


def _grown_stale(held: RuleState) -> RuleState:
    return replace(held, code=Code.STALE, hidden=held.hidden or held.code)


def _frozen(duty: CheckJob, fault: MultiAllError, memory: HealthState, now: float) -> ServerHealth:
    """Return the last known statuses of a server that cannot be asked, with the failure."""
    held = remembered(duty.all_rules, memory.rules, duty.circumstances(now))
    name = duty.server.name
    statuses = tuple(status_of(name, rule, held[rule.id]) for rule in duty.all_rules if rule.id in held)
    away = isinstance(fault, Unreachable)
    code = Code.MAINTENANCE if duty.maintenance and away else Code.UNREACHABLE if away else Code.COLLECT_ERROR
    at = max((each.at for each in held.values()), default=0.0)
    return ServerHealth(name, code, at, statuses, fault.what)


def _read(context: Context, duty: CheckJob, past: PriorState, refine: Refine, *, keeps: bool) -> FactRequest:
    if duty.server.name in context.away:
        raise context.away[duty.server.name]
    due = _due(duty, past, context.clock.now())
    wanted = past.asked_of(due) or to_ask(due)
    if not due and not duty.all_rules:
        return wanted
    session = context.transport.open(duty.server)
    try:
        asker = FactClient(session, context.clock, refine)
        if not due:
            asker.is_there()  # there is no fact to read, but this shows that the server answers
            return wanted
        return collect_changes(asker, wanted, past.marks) if keeps else ask(asker, wanted, past.marks)
    finally:
        session.close()


def _due(duty: CheckJob, past: PriorState, now: float) -> Sequence[Rule]:
    """Return the rules whose facts are due."""
    due: Sequence[Rule] = duty.rules
    if any(rule.every for rule in due):
        known = past.of(due)
        held = past.memory.rules if known is None else known.stood.held
        due = [rule for rule in due if not rule.every or is_due(rule, held.get(rule.id), now)]
    return [rule for rule in due if rule.fact not in duty.known] if duty.known else due


def _stood(
    duty: CheckJob,
    asked: FactRequest,
    held: Mapping[str, RuleState],
    before: SavedCheck | None,
    circumstances: Circumstances,
) -> Evaluation:
    """Return the statuses of all rules. `before`: the last result of the same rules."""
    read = {**duty.known, **asked.readings} if duty.known else asked.readings
    if before is not None:
        return reevaluate(duty.server.name, before.stood, read, circumstances)
    return evaluate_all(duty.server.name, duty.rules, read, held, circumstances)
