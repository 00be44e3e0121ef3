"""observe → plan → guard → journal → apply in batches → report: one pool, whatever the agents."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import field

from multiall_cli.domain.change import Plan
from multiall_cli.domain.dataclass import dataclass
from multiall_cli.domain.errors import MultiAllError, Refused
from multiall_cli.domain.exits import Exit
from multiall_cli.domain.inventory import Gate, GuardLimit, Pool
from multiall_cli.domain.run import Holder, LastResult, MemberReport, MemberState, Report, Run, Step
from multiall_cli.domain.scope import Scope, pool_scope
from multiall_cli.engine.context import Assignment, Context
from multiall_cli.engine.fanout import fan_out
from multiall_cli.engine.look import Sight, look
from multiall_cli.engine.member import bring_up_to_date
from multiall_cli.engine.operator import holder, new_run_id
from multiall_cli.planning import guard
from multiall_cli.planning.order import batches, too_many_failed
from multiall_cli.planning.targets import fold


@dataclass(frozen=True, slots=True)
class Wish:
    """What the operator asked for.

    `scope`: what is locked and journalled; None: the pool. `plan`: an id that must still hold ('': any); `confirm` sees
    the plan and decides; `id_of`: the id of a plan, where that stands for more than the plan itself. `catches_up`:
    whether absent members get what they missed later; a one-off copy is not owed to anyone.

    `gate`: waits until members of a batch are well; why they are not, or ''. `drain`: takes members out of the pool's
    names, and waits until no client uses them; why that cannot be, or ''. `restore`: ends that; why they are not back
    in their names, or ''.
    """

    verb: str = "sync"
    scope: Scope | None = None
    catches_up: bool = True
    plan: str = ""
    forced: frozenset[str] = frozenset()
    lock_wait: float = 0.0
    limits: Mapping[str, GuardLimit] = field(default_factory=dict)
    confirm: Callable[[Plan], bool] = lambda plan: True
    id_of: Callable[[Plan], str] = lambda plan: plan.id
    gate: Callable[[Gate, Sequence[str]], str] = lambda gate, servers: ""
    drain: Callable[[Sequence[str]], str] = lambda servers: ""
    restore: Callable[[Sequence[str]], str] = lambda servers: ""


def sync(context: Context, pool: Pool, assignments: Sequence[Assignment], wish: Wish) -> Report:
    """Make the members of a pool as declared. Errors: Locked, Refused, Unreachable (a source)."""
    me = holder(context, f"{wish.verb} {pool.name}")
    scope = wish.scope or pool_scope(pool.name)
    with context.store.locks.hold(scope, me, wish.lock_wait):
        context.watch(Step("locked"))
        sight = look(context, scope, assignments)
        try:
            return _sync(context, pool, sight, wish, me)
        finally:
            sight.close()


def _sync(context: Context, pool: Pool, sight: Sight, wish: Wish, me: Holder) -> Report:
    plan = sight.plan
    if context.stop():
        return _report("", pool, plan, {}, "interrupted before anything was changed", Exit.INTERRUPTED)
    if wish.plan and wish.plan != (now := wish.id_of(plan)):
        raise Refused(
            f"pool {pool.name}",
            f"the plan is now {now}, not {wish.plan}: something changed since",
            f"look at `multiall pool plan {pool.name}` again",
        )
    guard.check(plan, wish.limits, wish.forced)
    if plan.does_something and not wish.confirm(plan):
        return _report("", pool, plan, {}, "not confirmed; nothing was changed", Exit.REFUSED)
    if not _anything_to_do(context, sight.scope, plan):
        same = {name: MemberReport(name, MemberState.SAME) for name in sight.seen}
        return _save_results(context, sight.scope, _report("", pool, plan, same, ""))
    return _run(context, pool, sight, wish, me)


def _anything_to_do(context: Context, scope: Scope, plan: Plan) -> bool:
    """Whether there is something that the journal must know of."""
    waiting = {entry.subject for entry in context.store.backlog.entries(scope)}
    newly_away = any(each.server not in waiting for each in plan.deferred)
    back = waiting - {each.server for each in plan.deferred}
    unfinished = {each.subject for each in context.store.handlers.of(scope)}
    unfinished |= {each.subject for each in context.store.journal.pending(scope)}
    here = (unfinished & set(plan.targets)) - {each.server for each in plan.deferred}
    return bool(plan.changes or newly_away or here or back & set(plan.targets))


def _run(context: Context, pool: Pool, sight: Sight, wish: Wish, me: Holder) -> Report:
    now = context.clock.now()
    run = Run(
        new_run_id(now), wish.verb, (sight.scope,), sight.plan.targets, sight.plan.id, me.who, me.host, me.pid, now
    )
    context.store.journal.begin(run)
    context.watch(Step("begun"))
    if wish.catches_up:
        _defer(context, run.id, sight)
    ended = Exit.ERROR  # what the journal says where the store or the admin host itself gives out
    try:
        reports, stopped, code = _roll_out(context, pool, run.id, sight, wish)
        report = _save_results(context, sight.scope, _report(run.id, pool, sight.plan, reports, stopped, code))
        ended = report.exit
    finally:
        context.store.journal.end(run.id, ended, context.clock.now())
    context.watch(Step("ended"))
    return report


def _defer(context: Context, run: str, sight: Sight) -> None:
    """Note what absent members miss: again only where this run changes something that they do not have yet."""
    waiting = {entry.subject for entry in context.store.backlog.entries(sight.scope)}
    for each in sight.plan.deferred:
        if each.server not in waiting or sight.plan.changes:
            _add_to_backlog(context, sight, each.server, run, each.what)
            context.watch(Step("deferred", each.server))


def _add_to_backlog(context: Context, sight: Sight, server: str, run: str, reason: str) -> None:
    agents = sight.agents.get(server, ())
    context.store.backlog.add(sight.scope, server, server, agents, run, reason, context.clock.now())


def _roll_out(
    context: Context, pool: Pool, run: str, sight: Sight, wish: Wish
) -> tuple[dict[str, MemberReport], str, Exit | None]:
    """Batch after batch, until all are done or too many failed; why it stopped before ('' where it did not).

    Members that need nothing come first and make no batch: a canary that was as wanted would try nothing out.
    """
    reports: dict[str, MemberReport] = {}
    failed = len(sight.plan.deferred)
    total = len(sight.plan.targets)
    owing = {each.subject for each in context.store.handlers.of(sight.scope)}
    busy = [name for name, seen in sight.seen.items() if name in owing or any(plan.changes for plan in seen.plans)]
    idle = tuple(name for name in sight.seen if name not in busy)
    for batch in filter(None, [idle, *batches(busy, pool.rollout)]):
        if context.stop():
            return reports, "interrupted", Exit.INTERRUPTED
        if batch is not idle and too_many_failed(failed, total, pool.rollout):
            why = f"{failed} of {total} members failed or are away; max_fail is {pool.rollout.max_fail}"
            return reports, why, Exit.PARTIAL
        drains = pool.rollout.drain and batch is not idle
        if drains and (why := wish.drain(batch)):
            wish.restore(batch)
            return _stopped(context, reports, f"{fold(batch)} could not be drained: {why}")
        for report in _batch(context, run, sight, batch, wish):
            reports[report.server] = report
            failed += report.state in (MemberState.FAILED, MemberState.DEFERRED)
        if why := _overtaken(reports.values()):
            return reports, why, Exit.LOCKED
        made_so = [name for name in batch if name in reports and reports[name].state in _MADE_SO]
        # Those that have it already come first: what did them no good goes no further, however often it is tried.
        if busy and made_so and pool.rollout.gate and (why := wish.gate(pool.rollout.gate, made_so)):
            return _stopped(context, reports, f"the gate is closed: {why}")
        # Who failed stays out. As long as others are missing there, the next batch must not leave too.
        if drains and (why := wish.restore(made_so)):
            return _stopped(context, reports, f"{fold(made_so)} could not be put back into names: {why}")
    if len(reports) < len(sight.seen):
        return reports, "interrupted", Exit.INTERRUPTED
    return reports, "", None


def _overtaken(reports: Iterable[MemberReport]) -> str:
    """The other run that has what this one was to change; '' where there is none."""
    return next((f"{each.server}: {each.reason}" for each in reports if each.overtaken), "")


def _stopped(
    context: Context, reports: dict[str, MemberReport], why: str
) -> tuple[dict[str, MemberReport], str, Exit | None]:
    return (reports, "interrupted", Exit.INTERRUPTED) if context.stop() else (reports, why, Exit.REFUSED)


_MADE_SO = (MemberState.SAME, MemberState.CHANGED)


def _batch(context: Context, run: str, sight: Sight, batch: Sequence[str], wish: Wish) -> list[MemberReport]:
    """Each member's report; what is owed to those that went away meanwhile is noted."""
    done: list[MemberReport] = []
    broken: list[MultiAllError] = []
    for _, result in fan_out(
        [sight.seen[name] for name in batch],
        lambda member: bring_up_to_date(context, sight.scope, run, member),
        context.parallel,
        lambda: bool(broken) or context.stop(),
    ):
        if isinstance(result, MultiAllError):
            broken.append(result)  # the store or the admin host itself failed: no member's fault
        else:
            done.append(result)
            if result.state is MemberState.DEFERRED and wish.catches_up:
                _add_to_backlog(context, sight, result.server, run, result.reason)
            context.watch(Step("member done", result.server))
    if broken:
        raise broken[0]
    return done


def _save_results(context: Context, scope: Scope, report: Report) -> Report:
    """Save how each member came out; the report, as it was."""
    now = context.clock.now()
    dealt_with = [each for each in report.members if each.state is not MemberState.LEFT]
    context.store.results.save(
        [LastResult(scope, each.server, each.state, report.run, each.reason, now) for each in dealt_with]
    )
    return report


def _report(
    run: str, pool: Pool, plan: Plan, reports: Mapping[str, MemberReport], stopped: str, code: Exit | None = None
) -> Report:
    """Every target once, in the order of the inventory. `code` None: as the members came out."""
    away = {
        each.server: MemberReport(
            each.server,
            MemberState.FAILED if each.reason == "fault" else MemberState.DEFERRED,
            reason=each.what,
            todo=each.todo,
        )
        for each in plan.deferred
    }
    members = tuple(
        reports.get(name) or away.get(name) or MemberReport(name, MemberState.LEFT) for name in plan.targets
    )
    good = (MemberState.SAME, MemberState.CHANGED)
    as_they_are = Exit.OK if all(member.state in good for member in members) else Exit.PARTIAL
    return Report(run, pool.name, plan, members, stopped, as_they_are if code is None else code)
