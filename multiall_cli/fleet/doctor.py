"""Diagnosis of the admin host and of the connections to servers, with the fix for each finding."""

import os
from collections.abc import Iterator
from pathlib import Path

from multiall_cli.adapters.dns.resolve_diagnosis import diagnose as examine_name
from multiall_cli.adapters.trusted_files import trust_errors
from multiall_cli.domain.answer import Finding, Severity
from multiall_cli.drivers.become import sudoers_lines
from multiall_cli.engine.context import Context
from multiall_cli.engine.doctor import examine
from multiall_cli.fleet import ssh_config
from multiall_cli.fleet.adapters import state_folder
from multiall_cli.fleet.lookup import find_server, select_or_all
from multiall_cli.planning.merge import effective_files

LEAST_ROOM = 64 << 20  # bytes; doctor reports less free space at the store


def examine_servers(context: Context, target: str) -> Iterator[Finding]:
    """Yield findings about the connections to servers. `target` '': all servers."""
    servers, nameless = select_or_all(context, target), {}
    trees = {each.name: [tree.path for tree in effective_files(context.inventory, each.name)[0]] for each in servers}
    for finding in examine(context, servers, trees):
        if finding.reason == "name" and finding.subject not in nameless:
            address = find_server(context, finding.subject).address
            nameless[finding.subject] = examine_name(finding.subject, address)
            yield nameless[finding.subject] or finding
        else:
            yield finding


def examine_site(context: Context) -> Iterator[Finding]:
    """Yield findings about the admin host itself: the site, its ssh config, the store."""
    site = context.site
    words = f"{len(site.inventory.servers)} servers, {len(site.inventory.pools)} pools, no faults in its files"
    yield Finding("site", Severity.WELL, f"{site.root}: {words}")
    for pool in site.inventory.pools.values():
        for each in pool.files:
            if not each.from_member and not Path(each.source).is_dir():
                what = f"the source of {each.path}, {each.source}, is no folder here"
                yield Finding(f"pool {pool.name}", Severity.ILL, what, f"make it, or mend `source:` at {each.origin}")
    yield from ssh_config.unheeded(site, tuple(site.inventory.servers.values()))
    yield from _examine_store(context)


def _examine_store(context: Context) -> Iterator[Finding]:
    context.store.journal.runs(1)
    folder = state_folder(context.site)
    for fault in trust_errors(sorted(folder.glob("*.lock"))):
        yield Finding("store", Severity.ILL, f"{fault.subject}: {fault.what}", fault.todo)
    free = os.statvfs(folder)
    room = free.f_bavail * free.f_frsize
    if room < LEAST_ROOM:
        what = f"{room >> 20} MiB are free at {folder}"
        yield Finding("store", Severity.ILL, what, "free some, or move it with `store:`")
    else:
        yield Finding("store", Severity.WELL, f"{folder}, {room >> 20} MiB free")


def sudoers(context: Context, target: str) -> tuple[str, ...]:
    """Return the sudoers lines that the servers' `become: sudo` needs, one per user. `target` '': all servers."""
    return sudoers_lines(select_or_all(context, target))
