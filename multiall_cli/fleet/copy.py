"""`multiall cp`: copies between the admin host and servers, as syncs of one tree that delete nothing."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from multiall_cli.agents.files import FileTree, file_tree
from multiall_cli.domain.errors import Locked, MemberFault, Refused, Unreachable
from multiall_cli.domain.inventory import ADMIN, Server
from multiall_cli.domain.plan import Plan
from multiall_cli.domain.report import Report
from multiall_cli.domain.scope import site_scope
from multiall_cli.engine.context import Context
from multiall_cli.engine.copy_declarations import not_fetched, of_server, pull_declaration, push_declaration
from multiall_cli.engine.operator import here
from multiall_cli.engine.sync import SyncOptions, sync
from multiall_cli.fleet.execute import reachable_servers

COPIES = site_scope("copy")  # scope of copies in the journal and for locks
COPY_WAIT = 60.0  # seconds that a copy waits for another one
COPYING = SyncOptions(verb="cp", defers=False, lock_wait=COPY_WAIT)


def copy(context: Context, source: str, target: str, path: str, confirm: Callable[[Plan], bool]) -> Report:
    """Copy a file or a folder of the admin host to a path on servers. Deletes nothing there."""
    servers = tuple(reachable_servers(context, target))
    with push_declaration(Path(source), path) as declared:
        options = replace(COPYING, confirm=confirm)
        known, store = context.inventory.servers, context.store
        tree = file_tree(declared, known, store, here(), servers, is_copy=True, is_guarded=False)
        return sync(context, COPIES, [tree], servers, options)


def fetch(context: Context, target: str, path: str, folder: str) -> tuple[Report, ...]:
    """Copy a file or a folder of servers to `folder`/SERVER on the admin host; yield a report per server."""
    return tuple(_fetch(context, server, path, Path(folder)) for server in reachable_servers(context, target))


def _fetch(context: Context, server: Server, path: str, folder: Path) -> Report:
    declared, root = pull_declaration(server.name, path, folder)
    if context.stop():
        return not_fetched(server.name, None, COPIES)
    agent = FileTree(declared, server, root, context.store, (ADMIN,), is_copy=True, is_guarded=False)
    try:
        report = sync(context, COPIES, [agent], (ADMIN,), COPYING)
        return of_server(server.name, report)
    except Refused:
        gone = Refused(server.name, f"{path} is not there, or is empty", "copies take no patterns; look at the path")
        return not_fetched(server.name, gone, COPIES)
    except (Unreachable, MemberFault, Locked) as fault:  # the trouble of one server does not stop the others
        return not_fetched(server.name, fault, COPIES)
