"""How a server is reached: what ~/.ssh/config says of its address, with the inventory's own words on top."""

import io
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import fabric
import paramiko

from multiall_cli.adapters.ssh.config import CONFIG_FILES, texts
from multiall_cli.domain.dataclass import dataclass
from multiall_cli.domain.errors import UsageError
from multiall_cli.domain.inventory import Server, Ssh
from multiall_cli.domain.values import Secret

USER_FILES = ("~/.ssh/known_hosts", "~/.ssh/known_hosts2")
GLOBAL_FILES = ("/etc/ssh/ssh_known_hosts", "/etc/ssh/ssh_known_hosts2")


@dataclass(frozen=True, slots=True)
class Route:
    """One hop, ready to be opened; `jump` is the hop before it. Times in seconds.

    `key_name` is the server's name in known_hosts: `address`, `[address]:port` or its HostKeyAlias. What `pinned`
    (the site's own known_hosts) says of it goes before what `known_hosts` (the user's, the machine's) say.
    """

    name: str
    address: str
    port: int
    user: str
    key_name: str
    pinned: tuple[Path, ...]
    known_hosts: tuple[Path, ...]
    connect_timeout: float
    identities: tuple[Path, ...] = ()
    identities_only: bool = False
    default_identities: bool = True
    agent: bool = True
    password: Secret | None = None
    proxy_command: str = ""
    jump: "Route | None" = None

    def __str__(self) -> str:
        return f"{self.user}@{self.key_name}"


class Routes:
    """Resolves servers and aliases to routes. Safe to use from many threads."""

    def __init__(
        self,
        servers: Mapping[str, Server],
        pinned: Sequence[Path],
        connect_timeout: float,
        config_files: Sequence[str] = CONFIG_FILES,
    ) -> None:
        """`servers`: by name, for jumps; `pinned`: the site's known_hosts files."""
        self._servers = servers
        self._pinned = tuple(pinned)
        self._connect_timeout = connect_timeout
        self._text = texts(config_files)
        self._configs: dict[str, paramiko.SSHConfig] = {}
        self._config("")  # what cannot be read is told now

    def of(self, server: Server) -> Route:
        """Errors: UsageError where the ssh config or the jumps make no sense."""
        return self._of(server, ())

    def door_of(self, server: Server) -> tuple[str, int] | None:
        """The address and port that a knock goes to; None where a jump or a proxy lies before it.

        A fraction of the work of `of`; of none, where the config leads nowhere else (`config.straight`).
        Errors: UsageError.
        """
        try:
            says = self._config(_overrides(server.ssh)).lookup(server.address)
            jump = server.ssh.jump or says.get("proxyjump", "none")
            if jump.lower() != "none" or says.get("proxycommand"):
                return None
            return says["hostname"], int(says.get("port", 22))
        except (ValueError, KeyError, paramiko.SSHException) as fault:
            raise _senseless(server, fault) from None

    def _of(self, server: Server, passed: tuple[str, ...]) -> Route:
        if server.name in passed:
            circle = " → ".join((*passed, server.name))
            raise UsageError(server.name, f"its jumps go in a circle: {circle}", "take one of them out")
        try:
            found = fabric.Connection(
                server.address,
                # One of its own for each: fabric writes into the configuration that it reads.
                config=fabric.Config(ssh_config=self._config(_overrides(server.ssh)), lazy=True),
                gateway=False,
                connect_kwargs={"key_filename": []},
            )
            return self._route(server, found, (*passed, server.name))
        except (ValueError, KeyError, paramiko.SSHException) as fault:
            raise _senseless(server, fault) from None

    def _config(self, first: str) -> paramiko.SSHConfig:
        """The ssh config with lines of ours before it: what comes first counts, in `Match user` and `%p` as well."""
        if first not in self._configs:
            config = paramiko.SSHConfig()
            for file, text in {"(inventory)": first, **self._text}.items():
                try:
                    config.parse(io.StringIO(text))
                except (paramiko.SSHException, ValueError) as fault:
                    raise UsageError(file, f"it cannot be read as an ssh config ({fault})", "mend that line") from None
            self._configs[first] = config
        return self._configs[first]

    def _route(self, server: Server, found: fabric.Connection, passed: tuple[str, ...]) -> Route:
        says: Mapping[str, str] = found.ssh_config
        own = (server.ssh.identity,) if server.ssh.identity else ()
        files = (*own, *found.connect_kwargs["key_filename"])
        plain = found.host if found.port == 22 else f"[{found.host}]:{found.port}"
        return Route(
            name=server.name,
            address=found.host,
            port=found.port,
            user=found.user,
            key_name=says.get("hostkeyalias", plain),
            pinned=self._pinned,
            known_hosts=_known_hosts(says),
            connect_timeout=float(found.connect_timeout or self._connect_timeout),
            identities=tuple(Path(file).expanduser() for file in files if file != "none"),
            identities_only=says.get("identitiesonly", "no").lower() == "yes",
            default_identities=not files,
            agent=says.get("identityagent", "").lower() != "none",
            password=server.ssh.password,
            proxy_command="" if server.ssh.jump else says.get("proxycommand") or "",
            jump=self._jump(server.ssh.jump or says.get("proxyjump", ""), passed),
        )

    def _jump(self, hops: str, passed: tuple[str, ...]) -> Route | None:
        """The last of `first,second,…`, each reached through the one before it."""
        if not hops or hops.lower() == "none":
            return None
        route: Route | None = None
        for hop in hops.split(","):
            nearer = self._of(self._hop(hop.strip()), passed)
            route = nearer if route is None else replace(nearer, jump=route, proxy_command="")
        return route

    def _hop(self, hop: str) -> Server:
        """A server of the site by its name, or `user@alias:port` as the ssh config knows it."""
        if hop in self._servers:
            return self._servers[hop]
        parts = fabric.Connection.derive_shorthand(None, hop.removeprefix("ssh://"))
        return Server(name=hop, address=parts["host"], ssh=Ssh(user=parts["user"], port=parts["port"]))


def _senseless(server: Server, fault: Exception) -> UsageError:
    what = f"the ssh config of {server.address} makes no sense ({fault})"
    return UsageError(server.name, what, "mend ~/.ssh/config")


def _known_hosts(says: Mapping[str, str]) -> tuple[Path, ...]:
    user = shlex.split(says["userknownhostsfile"]) if "userknownhostsfile" in says else USER_FILES
    everyone = shlex.split(says["globalknownhostsfile"]) if "globalknownhostsfile" in says else GLOBAL_FILES
    return tuple(Path(file).expanduser() for file in (*user, *everyone) if file != "none")


def _overrides(ssh: Ssh) -> str:
    return (f"User {ssh.user}\n" if ssh.user else "") + (f"Port {ssh.port}\n" if ssh.port else "")
