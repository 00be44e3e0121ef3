"""Remedies: apply them one after the other, journalled like any change, and check again whether they helped."""

from collections.abc import Callable, Iterable, Iterator, Sequence

from multiall_cli.domain.baseline import Code, ServerHealth
from multiall_cli.domain.errors import MemberFault, Unreachable
from multiall_cli.domain.exits import Exit
from multiall_cli.domain.inventory import Server
from multiall_cli.domain.remedy import Remedied, Remedy
from multiall_cli.domain.run import Entry, Progress, Run, SavedState, Stage
from multiall_cli.domain.scope import site_scope
from multiall_cli.drivers.service import handler_argv
from multiall_cli.engine.context import Context
from multiall_cli.engine.converge import HANDLER_TIMEOUT
from multiall_cli.engine.operator import holder, new_run_id
from multiall_cli.planning.remedies import cooling

SCOPE = site_scope("remedies")  # scope of remedies in the journal and for locks
AGENT = "baseline"
Look = Callable[[Server], Iterable[ServerHealth]]


def applied(
    context: Context, chosen: Sequence[Remedy], servers: Sequence[Server], look: Look, cool_down: float
) -> tuple[Remedied, ...]:
    """Apply remedies and return each result, until one does not help. Raises Locked.

    After a remedy that does not help, the assumed cause is wrong, so the others are left alone. Remedies that another
    run has applied meanwhile are skipped.
    """
    me = holder(context, "baseline remedy")
    with context.store.locks.hold(SCOPE, me, 0.0):
        now = context.clock.now()
        cold = {each.remedy for each in cooling(chosen, last_applied(context, chosen), now, cool_down)}
        chosen = [each for each in chosen if each not in cold]
        targets = tuple(dict.fromkeys(each.server for each in chosen))
        run = Run(new_run_id(now), "remedy", (SCOPE,), targets, "", me.who, me.host, me.pid, now)
        context.store.journal.begin(run)
        for name in targets:
            context.store.journal.settle(SCOPE, name, [AGENT], now)
        ended = Exit.ERROR
        try:
            done = tuple(_all(context, run.id, chosen, {each.name: each for each in servers}, look))
            ended = Exit.OK if len(done) == len(chosen) and all(each.helped for each in done) else Exit.PARTIAL
        finally:
            context.store.journal.end(run.id, ended, context.clock.now())
        return done


def _all(
    context: Context, run: str, chosen: Sequence[Remedy], servers: dict[str, Server], look: Look
) -> Iterator[Remedied]:
    for each in chosen:
        if context.stop():
            return
        found = _one(context, run, each, servers[each.server], look)
        yield found
        if not found.helped:
            return


def _one(context: Context, run: str, remedy: Remedy, server: Server, look: Look) -> Remedied:
    now = context.clock.now()
    context.store.journal.intend([_entry(run, remedy, Stage.INTENT, "", now)], ())
    context.store.states.put([SavedState(AGENT, remedy.server, repr(now).encode("ascii"), str(remedy.action))])
    detail = _done(context, remedy, server)
    context.store.journal.record(
        [_entry(run, remedy, Stage.FAILED if detail else Stage.DONE, detail, context.clock.now())]
    )
    context.watch(Progress("acted", remedy.server))
    if detail:
        return Remedied(run, remedy, detail)
    status = next((s for c in look(server) if not c.trouble for s in c.statuses if s.rule == remedy.rule), None)
    if status is not None and status.code // 100 == 2 and status.code is not Code.SOFT_FAIL:
        return Remedied(run, remedy, "", Code.REMEDIED)
    why = "it was done, and the rule still fails" if status is not None else "it was done, and could not be looked at"
    return Remedied(run, remedy, why, Code.UNREACHABLE if status is None else status.code)


def _done(context: Context, remedy: Remedy, server: Server) -> str:
    """Run the action; return '' if it succeeded, otherwise the reason."""
    try:
        if remedy.server in context.away:
            raise context.away[remedy.server]
        session = context.transport.open(server)
        try:
            ended = session.run(handler_argv(remedy.action), timeout=HANDLER_TIMEOUT)
        finally:
            session.close()
    except (Unreachable, MemberFault) as fault:
        return fault.what
    if ended.exit_code == 0:
        return ""
    words = (ended.stderr.whole() or ended.stdout.whole()).decode("utf-8", "replace").strip()
    return f"exit {ended.exit_code}" + (f", {words[-300:]}" if words else "")


def _entry(run: str, remedy: Remedy, stage: Stage, detail: str, at: float) -> Entry:
    before = f"{remedy.code.value} {remedy.code.word}: {remedy.shows}"
    return Entry(
        run, AGENT, remedy.server, remedy.server, remedy.rule, "update", before, str(remedy.action), stage, detail, at
    )


def last_applied(context: Context, chosen: Iterable[Remedy]) -> dict[Remedy, float]:
    """Return when each remedy was last applied; those that never were are absent."""
    found = {}
    for each in chosen:
        try:
            found[each] = float((context.store.states.get(AGENT, each.server, str(each.action)) or b"").decode("ascii"))
        except ValueError:
            continue
    return found
