"""OpenSSH's client: the command line of a login."""

from collections.abc import Mapping

from multiall_cli.domain.inventory import Server


def ssh_command(server: Server, servers: Mapping[str, Server], known_hosts: str) -> list[str]:
    """The argv that logs in to a server as the site says; `servers`: by name, for its jump."""
    argv = ["ssh", "-o", f'UserKnownHostsFile="{known_hosts}" ~/.ssh/known_hosts']
    if server.ssh.port:
        argv += ["-p", str(server.ssh.port)]
    if server.ssh.user:
        argv += ["-l", server.ssh.user]
    if server.ssh.identity:
        argv += ["-i", server.ssh.identity]
    if server.ssh.jump:
        jump = servers.get(server.ssh.jump)
        argv += ["-J", _jump_word(jump) if jump else server.ssh.jump]
    return [*argv, "--", server.address]


def _jump_word(jump: Server) -> str:
    user = f"{jump.ssh.user}@" if jump.ssh.user else ""
    address = f"[{jump.address}]" if ":" in jump.address else jump.address
    return f"{user}{address}" + (f":{jump.ssh.port}" if jump.ssh.port else "")
