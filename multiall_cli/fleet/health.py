"""Health: functions behind the Fleet's verbs about baseline rules."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from multiall_cli.domain.baseline import Code, Rule, ServerHealth, worst
from multiall_cli.domain.errors import Fault, InputFaults, Origin, UsageError
from multiall_cli.domain.health import DAY, Health, RuleHistory, Waiver
from multiall_cli.domain.inventory import Gate, Server
from multiall_cli.domain.remedy import Remedied, Remedies, Remedy
from multiall_cli.domain.topology import DowntimeKind, Topology
from multiall_cli.engine.context import Context
from multiall_cli.fleet.lookup import find_server, select_servers
from multiall_cli.fleet.topology import current_topology, informed, saved_topology
from multiall_cli.planning import waivers
from multiall_cli.planning.lint import found_odd
from multiall_cli.planning.pools import pools_health
from multiall_cli.planning.remedies import cooling
from multiall_cli.planning.remedies import remedies as planned_remedies
from multiall_cli.planning.rule_generation import GeneratedRules
from multiall_cli.planning.rule_tests import RuleTest, trials
from multiall_cli.planning.rules import RuleBook, Tell, build
from multiall_cli.planning.suggestions import did_you_mean
from multiall_cli.planning.targets import select, world_of
from multiall_cli.planning.targets.grammar import atoms
from multiall_cli.planning.targets.selection import is_fleeting
from multiall_cli.planning.whom import via_relays

if TYPE_CHECKING:
    from multiall_cli.engine.check import CheckJob
    from multiall_cli.engine.check_cache import CheckCache

MOST_CHANGES = 1000  # class changes in one history
WARM = 256  # sessions that a watch and a gate leave open


def check(
    context: Context, servers: Iterable[Server], *, fresh: bool = False, drift: bool = False
) -> Iterator[ServerHealth]:
    """Check servers and yield each result as it arrives.

    `fresh`: also check rules that are not due yet; `drift`: also compare with what pools declare; without it the last
    comparison counts.
    """
    from multiall_cli.drivers import x509
    from multiall_cli.engine.check import check as look

    topology = saved_topology(context)
    duties = duties_of(context, via_relays(servers, topology.relays), topology)
    if drift:
        duties = _with_drift(context, duties)
    if fresh:
        duties = [replace(each, rules=tuple(map(_due_at_once, each.rules))) for each in duties]
    ready = informed(context.reading, topology)

    def refine(kind: str, values: Mapping[str, object]) -> Mapping[str, object]:
        return x509.values(values, context.clock.now()) if kind == "certificate" else values

    return look(ready, duties, refine, context.site.settings.baseline.keep, _check_cache(context))


def _due_at_once(rule: Rule) -> Rule:
    return replace(rule, every=0.0) if rule.every else rule


def _with_drift(context: Context, duties: "list[CheckJob]") -> "list[CheckJob]":
    from multiall_cli.fleet.drift import drift_of

    read = drift_of(context, [each.server.name for each in duties])
    return [
        replace(
            each,
            rules=(*each.rules, *(rule for rule in each.aside if rule.fact in read[each.server.name])),
            aside=tuple(rule for rule in each.aside if rule.fact not in read[each.server.name]),
            known=read[each.server.name],
        )
        for each in duties
    ]


def wait_for_health(context: Context, gate: Gate, servers: Sequence[str]) -> str:
    """Wait until servers are healthy; return why they are not, or ''."""
    from multiall_cli.engine.gate import wait_until_healthy

    book, _ = rule_book(context)
    blind = next((name for name in servers if not book.of(name)), "")
    if blind:
        return f"{blind}: it has no baseline rules"  # without rules, no failure could ever close the gate
    context.adapters.keep_warm(WARM)
    members = [context.inventory.servers[name] for name in servers]
    return wait_until_healthy(gate, context.reading, lambda: list(check(context, members, fresh=True)))


def remedies(context: Context, servers: Iterable[Server]) -> Remedies:
    """Return the remedies that may be applied now, and those that were applied too recently."""
    from multiall_cli.engine.remedy import last_applied

    order = {name: place for place, name in enumerate(context.inventory.servers)}
    found = sorted(check(context, servers, fresh=True), key=lambda each: order[each.server])
    book, _ = rule_book(context)
    chosen = planned_remedies(found, {each.server: book.of(each.server) for each in found})
    last = last_applied(context.reading, chosen)
    wait = cooling(chosen, last, context.clock.now(), context.site.settings.baseline.cool_down)
    unseen = {each.server: each.trouble for each in found if each.trouble and each.code is not Code.MAINTENANCE}
    cold = {each.remedy for each in wait}
    return Remedies(tuple(each for each in chosen if each not in cold), unseen, wait)


def apply_remedies(context: Context, chosen: Sequence[Remedy]) -> tuple[Remedied, ...]:
    """Apply remedies and return each result, until one does not help. Raises Locked."""
    from multiall_cli.engine.remedy import applied

    topology = current_topology(context)
    servers = via_relays([context.inventory.servers[each.server] for each in chosen], topology.relays)
    context = informed(context, topology)
    cool_down = context.site.settings.baseline.cool_down
    return applied(context, chosen, servers, lambda server: check(context, [server], fresh=True), cool_down)


def remembered(context: Context, servers: Iterable[Server]) -> tuple[ServerHealth, ...]:
    """Return the results of servers' last checks. Asks no server."""
    from multiall_cli.engine.check import recalled

    duties, now = duties_of(context, servers, current_topology(context)), context.clock.now()
    return tuple(recalled(context.store, duties, now, context.site.settings.baseline.stale))


def codes_now(context: Context, servers: Sequence[str]) -> dict[str, Code]:
    """Return the codes of servers' last checks under the present rules, waivers and downtimes, without drift.

    With drift, an unreachable name server would make members unknown, and take them out of their names.
    """
    from multiall_cli.engine.check import recalled

    now, stale = context.clock.now(), context.site.settings.baseline.stale
    members = [context.inventory.servers[name] for name in servers]
    duties = [replace(each, aside=()) for each in duties_of(context, members, saved_topology(context))]
    return {
        each.server: worst([each.code if each.trouble else Code.OK, *(own.code for own in each.statuses)])
        for each in recalled(context.store, duties, now, stale)
    }


def duties_of(context: Context, servers: Iterable[Server], topology: Topology) -> "list[CheckJob]":
    """Return the work of a check on each server. Raises InputFaults."""
    from multiall_cli.engine.check import CheckJob

    book, faults = rule_book(context)
    holding = waivers.with_servers(waivers_now(context), lambda target: meant(context, target))
    groups: dict[tuple[str, ...], tuple[str, ...]] = {}
    found = []
    for server in servers:
        rules, declared = book.of(server.name), book.declared(server.name)
        names = (rule.id for rule in (*rules, *declared))
        waived = waivers.waived(server.name, names, holding) if holding else {}
        group = _group(context, server.name, groups) if any(rule.same for rule in rules) else ()
        found.append(CheckJob(server, rules, maintenance_of(topology, server.name), waived, group, aside=declared))
    if faults:
        raise InputFaults(faults)
    return found


def rule_book(context: Context) -> tuple[RuleBook, list[Fault]]:
    """Return the rules of all servers, and a list of errors in them.

    Made once: a site does not change while a Fleet is open.
    """
    if context.cache.rules is None:
        faults: list[Fault] = []
        context.cache.rules = RuleBook(context.inventory, context.site.packs, _tell_to(faults)), faults
    return context.cache.rules


def _check_cache(context: Context) -> "CheckCache | None":
    """Return the cache of checks while connections stay open; otherwise None."""
    from multiall_cli.engine.check_cache import CheckCache

    if context.adapters.is_warm and context.cache.checks is None:
        context.cache.checks = CheckCache()
    return context.cache.checks if context.adapters.is_warm else None


def _group(context: Context, server: str, known: dict[tuple[str, ...], tuple[str, ...]]) -> tuple[str, ...]:
    """Return the servers that share a pool with a server, itself included. `known`: cache by pools."""
    pools = context.inventory.pools_of(server)
    names = tuple(pool.name for pool in pools)
    if names not in known:
        known[names] = tuple(dict.fromkeys(name for pool in pools for name in pool.members))
    return known[names]


def maintenance_of(topology: Topology, server: str) -> str:
    """Return the reason why a server's failures are not reported; '' if they are."""
    word = topology.planned_of(server)
    return word.because if word is not None and word.what is DowntimeKind.MAINTENANCE else ""


def rules(context: Context, server: str, rule: str = "") -> tuple[Rule, ...]:
    """Return the rules of a server, or one of them. Raises UsageError, InputFaults."""
    book, faults = rule_book(context)
    found = book.of(find_server(context, server).name)
    if faults:
        raise InputFaults(faults)
    if not rule:
        return found
    chosen = tuple(each for each in found if each.id == rule)
    if not chosen:
        todo = f"{did_you_mean(rule, [each.id for each in found])}`multiall baseline explain {server}` shows all"
        raise UsageError(f"rule {rule}", f"{server} has no such rule", todo)
    return chosen


def of(context: Context, servers: Iterable[ServerHealth]) -> Health:
    """Return the health of servers, in the order of the inventory, and of their pools."""
    found = {each.server: each for each in servers}
    pools = pools_health(context.inventory.pools.values(), found)
    return Health(
        tuple(found[name] for name in context.inventory.servers if name in found),
        pools,
        tuple(waivers.ending_soon(waivers_now(context), context.clock.now())),
        {each.pool: context.inventory.pools[each.pool].members for each in pools},
    )


# --- the rules themselves -----------------------------------------------------------------------------------------


def test(context: Context, pack: str) -> Iterator[RuleTest]:
    """Try the rules of one pack, or of all, on their examples. Raises UsageError, InputFaults."""
    known = context.site.packs
    if pack and pack not in known:
        raise UsageError(
            f"pack {pack}", "there is no such pack", f"{did_you_mean(pack, known)}`multiall baseline packs` shows all"
        )
    faults: list[Fault] = []
    for name in [pack] if pack else sorted(known):
        built = {rule: made for rule, words in known[name].items() if (made := build(rule, words, _tell_to(faults)))}
        yield from trials(name, built, context.site.examples.get(name, {}))
    if faults:
        raise InputFaults(faults)


def learn(context: Context, servers: Sequence[Server]) -> GeneratedRules:
    """Return rules for what most of these servers run and hold now."""
    from multiall_cli.engine.learn import learn as ask

    topology = current_topology(context)
    return ask(informed(context, topology), via_relays(servers, topology.relays))


def lint(context: Context) -> list[Fault]:
    """Return warnings about valid rules: see `planning.lint`."""
    longest = context.site.settings.baseline.longest
    return found_odd(context.inventory, context.site.packs, waivers_now(context), context.clock.now(), longest)


def _tell_to(faults: list[Fault]) -> Tell:
    def tell(origin: Origin, what: str, todo: str) -> None:
        faults.append(Fault(origin, what, todo))

    return tell


# --- waivers ------------------------------------------------------------------------------------------------------


def meant(context: Context, target: str) -> Sequence[str]:
    """Return the servers that a waiver's target means now; none if it means no server any more."""
    try:
        return select(target, world_of(context.inventory))
    except UsageError:
        return ()


def waivers_now(context: Context) -> list[Waiver]:
    """Return the waivers that apply now, of the store and of the inventory."""
    now = context.clock.now()
    return waivers.holding([*context.store.waivers.all(now), *waivers.declared(context.inventory)], now)


def waive(context: Context, rule: str, target: str, ends: float, because: str) -> Waiver:
    """Let a rule fail on servers until a time. Raises UsageError."""
    from multiall_cli.engine.operator import who

    now, longest = context.clock.now(), context.site.settings.baseline.longest
    if fleeting := [str(atom) for atom in atoms(target) if is_fleeting(atom)]:
        what = f"it cannot be about '{fleeting[0]}', which changes by itself"
        raise UsageError("baseline waive", what, "name servers, pools and labels")
    if ends <= now:
        raise UsageError("baseline waive", "it would be over before it begins", "give a later end")
    if ends - now > longest:
        todo = "give an earlier end, or change `longest` under `baseline:` in multiall.yaml"
        raise UsageError("baseline waive", f"it would hold for more than {longest / DAY:.0f} days", todo)
    made = Waiver(rule, target, ends, because, who(), now)
    _must_be_about_something(context, made, [server.name for server in select_servers(context, target)])
    return replace(made, number=context.store.waivers.add(made))


def _must_be_about_something(context: Context, waiver: Waiver, servers: Sequence[str]) -> None:
    book, _ = rule_book(context)
    known = {name: _names_of(context, book, name) for name in servers}
    if waivers.unused(waiver, known, servers):
        every = sorted({rule for found in known.values() for rule in found})
        todo = f"{did_you_mean(waiver.rule, every)}`multiall baseline rules {waiver.target}` shows all"
        raise UsageError(f"rule {waiver.rule}", f"no server of {waiver.target} has such a rule", todo)


def _names_of(context: Context, book: RuleBook, server: str) -> list[str]:
    """Return the ids of its rules, and of its pools' declarations."""
    return [rule.id for rule in (*book.of(server), *book.declared(server))]


def revoke(context: Context, number: int) -> Waiver:
    """End a waiver. Raises UsageError if it does not apply any more."""
    ended = context.store.waivers.revoke(number, context.clock.now())
    if ended is None:
        raise UsageError(f"waiver {number}", "there is none that holds", "`multiall baseline waivers` shows all")
    return ended


# --- history ------------------------------------------------------------------------------------------------------


def history(context: Context, rule: str, target: str, since: float) -> tuple[RuleHistory, ...]:
    """Return the results of a rule on each server since a time. Raises UsageError if no server has it."""
    servers = select_servers(context, target) if target else tuple(context.inventory.servers.values())
    book, _ = rule_book(context)
    having = [each.name for each in servers if rule in _names_of(context, book, each.name)]
    if not having:
        every = sorted({own for each in servers for own in _names_of(context, book, each.name)})
        todo = f"{did_you_mean(rule, every)}`multiall baseline rules` shows all"
        raise UsageError(f"rule {rule}", "no server has such a rule", todo)
    history = context.store.health
    return tuple(
        RuleHistory(
            name,
            rule,
            tuple(history.samples(name, rule, since)),
            tuple(
                each
                for each in reversed(context.store.health.transitions(MOST_CHANGES, name, rule))
                if each.at >= since
            ),
        )
        for name in having
    )
