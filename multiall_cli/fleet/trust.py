"""Host keys of servers, and logins by hand."""

from multiall_cli.domain.answer import HostKeyOffer
from multiall_cli.domain.errors import Refused
from multiall_cli.domain.inventory import Server
from multiall_cli.drivers.openssh import ssh_command
from multiall_cli.engine.context import Context
from multiall_cli.fleet.adapters import known_hosts
from multiall_cli.fleet.lookup import find_server


def trust(context: Context, server: str, fingerprint: str, *, replace: bool) -> str:
    """Pin the key that a server shows, if it has this fingerprint; return the file. Raises Refused, Unreachable."""
    keys = context.adapters.host_keys
    offer = keys.offered(find_server(context, server))
    if offer.fingerprint != fingerprint:
        what = f"it shows {offer.fingerprint} now, not {fingerprint}"
        raise Refused(f"server {server}", what, f"`multiall server trust {server}` again, and ask its owner")
    keys.pin(offer, replace=replace)
    return keys.file


def offered(context: Context, server: str) -> HostKeyOffer:
    """Return the host key that a server shows now. Raises Unreachable, UsageError."""
    return context.adapters.host_keys.offered(find_server(context, server))


def login_command(context: Context, server: Server) -> list[str]:
    """Return the argv of an `ssh` login, with the site's settings for the server."""
    from multiall_cli.fleet.ssh_config import login_options

    config, options = context.site.settings.ssh_config, login_options(context.site, server)
    hosts = str(known_hosts(context.site))
    return ssh_command(server, context.inventory.servers, hosts, config=config, options=options)
