"""OpenSSH: the command line of a login."""

from collections.abc import Mapping, Sequence

from multiall_cli.domain.inventory import Server


def ssh_command(
    server: Server,
    servers: Mapping[str, Server],
    known_hosts: str,
    *,
    config: str | None = None,
    options: Sequence[str] = (),
) -> list[str]:
    """Return the argv that logs in to a server. `servers`: all servers by name, for its jump host.

    `config`: the ssh_config of the site; `options`: more values of `-o`.
    """
    argv = ["ssh", *(["-F", config] if config else []), "-o", f'UserKnownHostsFile="{known_hosts}" ~/.ssh/known_hosts']
    if server.ssh.port:
        argv += ["-p", str(server.ssh.port)]
    if server.ssh.user:
        argv += ["-l", server.ssh.user]
    if server.ssh.identity:
        argv += ["-i", server.ssh.identity]
    if server.ssh.jump:
        jump = servers.get(server.ssh.jump)
        argv += ["-J", _jump_word(jump) if jump else server.ssh.jump]
    if server.address != server.name:
        argv += ["-o", f"HostName={server.address}"]
    argv += [word for each in options for word in ("-o", each)]
    return [*argv, "--", server.name]


def _jump_word(jump: Server) -> str:
    user = f"{jump.ssh.user}@" if jump.ssh.user else ""
    address = f"[{jump.address}]" if ":" in jump.address else jump.address
    return f"{user}{address}" + (f":{jump.ssh.port}" if jump.ssh.port else "")
