"""Commands on servers, and facts of servers."""

from collections.abc import Iterator, Sequence

from multiall_cli.domain.answer import Executed, Facts
from multiall_cli.domain.inventory import Server
from multiall_cli.domain.topology import State
from multiall_cli.engine import execute as engine
from multiall_cli.engine.context import Context
from multiall_cli.engine.execute import OnLine
from multiall_cli.engine.topology_codec import recall
from multiall_cli.fleet.lookup import select_servers
from multiall_cli.fleet.topology import current_topology
from multiall_cli.planning.whom import via_relays


def execute(
    context: Context, target: str, argv: Sequence[str], stdin: bytes, on_output: OnLine | None
) -> Iterator[Executed]:
    """Run a command on servers; yield results as they arrive."""
    return engine.execute(context, reachable_servers(context, target), argv, stdin, context.timeout, on_output)


def facts(context: Context, target: str) -> Iterator[Facts]:
    return engine.facts(context, reachable_servers(context, target))


def reachable_servers(context: Context, target: str) -> list[Server]:
    """Return the servers of a target, each with the relay through which it is reached now."""
    servers = select_servers(context, target)
    saved = recall(context.store.topology.servers(context.vantage), context.clock.now())[0].servers
    cut_off = any(each.name in saved and saved[each.name].state is State.UNREACHABLE for each in servers)
    return via_relays(servers, current_topology(context).relays if cut_off else {})
