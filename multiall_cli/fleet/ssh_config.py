"""Settings of the ssh config, for doctor and for logins by hand."""

from collections.abc import Iterator, Sequence

from multiall_cli.domain.answer import Finding, Severity
from multiall_cli.domain.errors import UsageError
from multiall_cli.domain.inventory import Link, Server, Settings, Site
from multiall_cli.planning.targets.ranges import fold

_BY_HAND = ("User", "Port", "ProxyJump", "ProxyCommand", "HostKeyAlias", "IdentityFile", "CertificateFile")


def config_files(settings: Settings) -> tuple[str, ...]:
    """Return the ssh configs in force, first match wins: the site's own, otherwise the user's and the machine's."""
    from multiall_cli.adapters.ssh.config import CONFIG_FILES

    return CONFIG_FILES if settings.ssh_config is None else (settings.ssh_config,)


def unheeded(site: Site, servers: Sequence[Server]) -> Iterator[Finding]:
    """Yield a finding for each line of the ssh config that applies to a server, but that MultiAll ignores."""
    from multiall_cli.adapters.ssh.host_config import not_honoured
    from multiall_cli.adapters.ssh.route import Routes

    found: dict[tuple[str, int, str], list[str]] = {}
    try:
        routes = Routes(site.inventory.servers, [], 0.0, config_files(site.settings))
        for server in servers:
            if server.link is Link.SSH:
                for line in not_honoured(routes.config(server)):
                    found.setdefault((line.file, line.line, line.spelled), []).append(server.name)
    except UsageError as fault:
        yield Finding(fault.subject, Severity.ILL, fault.what, fault.todo)
    for (file, number, keyword), names in sorted(found.items()):
        what = f"{keyword} ({file}:{number}) is not honoured, for {fold(names)}"
        yield Finding("ssh config", Severity.ODD, what, "see docs/reference/ssh-config.md, or set `ssh_config:`")


def login_options(site: Site, server: Server) -> list[str]:
    """Return the settings of blocks for a server's address as `ssh` options, because `ssh` looks up its name alone."""
    if server.address == server.name:
        return []
    from multiall_cli.adapters.ssh.route import Routes

    says = Routes(site.inventory.servers, [], 0.0, config_files(site.settings)).config(server)
    own = {
        "User": server.ssh.user,
        "Port": server.ssh.port,
        "ProxyJump": server.ssh.jump,
        "ProxyCommand": server.ssh.jump,
    }
    return [
        f"{keyword}={' '.join(value.words)}"
        for keyword in _BY_HAND
        if not own.get(keyword)
        for value in says.values.get(keyword.lower(), ())
    ]
