"""Shell completion: names of pools, servers and runs from the site that is found from here; silent where none is."""

import os
from pathlib import Path

from multiall_cli.domain.errors import MultiAllError
from multiall_cli.domain.inventory import Inventory


def _inventory() -> Inventory | None:
    from multiall_cli.adapters.site.read import find_site, read_site

    try:
        return read_site(find_site(None, os.environ, Path.cwd())).inventory
    except MultiAllError:
        return None


def pools(incomplete: str) -> list[str]:
    found = _inventory()
    return [name for name in (found.pools if found else ()) if name.startswith(incomplete)]


def servers(incomplete: str) -> list[str]:
    found = _inventory()
    return [name for name in (found.servers if found else ()) if name.startswith(incomplete)]


def zones(incomplete: str) -> list[str]:
    found = _inventory()
    names = [zone.shown for zone in found.zones.values()] if found else []
    return [name for name in names if name.startswith(incomplete)]


def targets(incomplete: str) -> list[str]:
    """Servers, pools as @pool, and labels; the part after the last operator is completed."""
    cut = max(incomplete.rfind(sign) for sign in ",&! ") + 1
    before, last = incomplete[:cut], incomplete[cut:]
    found = _inventory()
    if found is None:
        return []
    labels = {f"{key}={value}" for server in found.servers.values() for key, value in server.labels.items()}
    words = [*found.servers, *(f"@{pool}" for pool in found.pools), *sorted(labels), "@failed", "@deferred"]
    return [before + each for each in words if each.startswith(last)]
