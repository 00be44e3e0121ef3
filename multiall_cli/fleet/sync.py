"""Plan, diff and sync of a pool: its files and its names as one."""

from dataclasses import replace
from functools import partial

from multiall_cli.agents.files import file_tree
from multiall_cli.domain.answer import Difference
from multiall_cli.domain.dataclass import dataclass
from multiall_cli.domain.inventory import Pool, Server
from multiall_cli.domain.plan import Plan
from multiall_cli.domain.report import Report
from multiall_cli.domain.scope import Scope, pool_scope
from multiall_cli.engine import sync as engine
from multiall_cli.engine.context import Agent, Context
from multiall_cli.engine.observe import observe
from multiall_cli.engine.operator import here
from multiall_cli.engine.rollout import GateStage, RolloutStage
from multiall_cli.engine.subjects import SyncRequest
from multiall_cli.engine.sync import SyncOptions
from multiall_cli.engine.text_diff import differences
from multiall_cli.fleet import health
from multiall_cli.fleet.lookup import find_pool, select_servers
from multiall_cli.fleet.rollouts import RolloutDowntimes
from multiall_cli.fleet.topology import informed
from multiall_cli.fleet.zone_lookup import agents_of, of_pool
from multiall_cli.planning.assignments import assign, chosen_members
from multiall_cli.planning.whom import via_relays

ANYTHING = SyncOptions()


@dataclass(frozen=True, slots=True)
class _PoolWork:
    """Scope, agents and members of a pool's sync. `only`: the members that may be changed; None: all."""

    context: Context
    scope: Scope
    agents: tuple[Agent, ...]
    members: tuple[Server, ...]
    only: frozenset[str] | None


def plan(context: Context, pool: str, only: str = "", open_guards: frozenset[str] = frozenset()) -> Plan:
    """Return what a sync would change. Reads only. Raises Refused, UsageError, Unreachable (a source)."""
    work = _work(context, find_pool(context, pool), only)
    request = SyncRequest(open_guards, work.only)
    found = observe(work.context, work.scope, work.agents, work.members, request)
    found.close()
    return found.plan


def plan_files(context: Context, pool: str, only: str = "") -> Plan:
    """Return what a sync would change in a pool's files, without its names. Raises as `plan` does."""
    work = _work(context, find_pool(context, pool), only, with_names=False)
    found = observe(work.context, work.scope, work.agents, work.members)
    found.close()
    return found.plan


def diff(context: Context, pool: str, only: str = "") -> tuple[Difference, ...]:
    """Return what a sync would change, as text. Reads only. Raises as `plan` does."""
    work = _work(context, find_pool(context, pool), only)
    found = observe(work.context, work.scope, work.agents, work.members, SyncRequest(members=work.only))
    try:
        return differences(found)
    finally:
        found.close()


def sync(context: Context, pool: str, options: SyncOptions = ANYTHING, only: str = "") -> Report:
    """Make a pool's members, then its names, as declared. Raises Locked, Refused, UsageError, Unreachable.

    `only`: a target within the pool; `options`: options of the sync, without the pool's own rollout and its stages.
    """
    declared = find_pool(context, pool)
    work = _work(context, declared, only)
    whole = replace(options, only=work.only, rollout=declared.rollout, stages=_stages(context, declared))
    if declared.rollout.drain:
        whole = replace(whole, drain=RolloutDowntimes(work.context, pool))
    return engine.sync(work.context, work.scope, work.agents, work.members, whole)


def _stages(context: Context, pool: Pool) -> list[RolloutStage]:
    gate = pool.rollout.gate
    return [GateStage(gate, partial(health.wait_for_health, context))] if gate else []


def _work(context: Context, pool: Pool, only: str, *, with_names: bool = True) -> _PoolWork:
    """Return the work of a pool's sync, with the topology of now. Raises Refused, UsageError."""
    ready, servers, limits = informed(context), context.inventory.servers, context.site.guards
    chosen = frozenset(server.name for server in select_servers(context, only)) if only else None
    zones = of_pool(context, pool.name) if with_names else ()
    among = chosen_members(pool, chosen, only)
    holders = assign(context.inventory, pool, among) if pool.files or not zones else {}
    reached = {each.name: each for each in via_relays([servers[name] for name in pool.members], ready.relays)}
    agents: list[Agent] = [
        file_tree(declared, servers, context.store, here(), [reached[one.name] for one in holding], limits)
        for declared, holding in holders.items()
    ]
    agents += agents_of(ready, zones, pool.name)
    names = {each.name for holding in holders.values() for each in holding}
    members = tuple(each for name, each in reached.items() if name in names)
    return _PoolWork(ready, pool_scope(pool.name), tuple(agents), members, chosen)
