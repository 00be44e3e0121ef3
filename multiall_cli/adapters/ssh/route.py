"""Routes to servers: the ssh config of name and address, overridden by the inventory."""

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from multiall_cli.adapters.ssh.config import CONFIG_FILES, read
from multiall_cli.adapters.ssh.host_config import HostConfig, HostQuery, host_config
from multiall_cli.adapters.ssh.tokens import at_home, expand, only, tokens
from multiall_cli.domain.dataclass import dataclass
from multiall_cli.domain.errors import UsageError
from multiall_cli.domain.inventory import Server, Ssh
from multiall_cli.domain.values import Secret

USER_FILES = ("~/.ssh/known_hosts", "~/.ssh/known_hosts2")
GLOBAL_FILES = ("/etc/ssh/ssh_known_hosts", "/etc/ssh/ssh_known_hosts2")


@dataclass(frozen=True, slots=True)
class Route:
    """One hop, ready to be opened; `jump` is the hop before it. Times in seconds.

    `key_name` is the server's name in known_hosts: `address`, `[address]:port` or its HostKeyAlias. Entries of `pinned`
    (the site's own known_hosts) win over those of `known_hosts` (the user's, the machine's).
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
    certificates: tuple[Path, ...] = ()
    identities_only: bool = False
    default_identities: bool = True
    agent: str | None = None
    """Socket of the ssh agent; '' for none, None for SSH_AUTH_SOCK."""
    password: Secret | None = None
    proxy_command: str = ""
    family: str = "any"
    bind_address: str = ""
    revoked: tuple[Path, ...] = ()
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
        self._files = read(config_files)  # reports unreadable files now
        self._asked: dict[HostQuery, HostConfig] = {}

    def of(self, server: Server) -> Route:
        """Return a server's route. Raises UsageError if its ssh config or jumps are invalid."""
        return self._of(server, _query_of(server), ())

    def config(self, server: Server) -> HostConfig:
        """Return the ssh config of a server. Raises UsageError."""
        return self._config(_query_of(server))

    def endpoint_of(self, server: Server) -> tuple[str, int] | None:
        """Return the endpoint to probe; None behind a jump host or proxy. Raises UsageError."""
        query = _query_of(server)
        found = self._config(query)
        jump = server.ssh.jump or found.text("proxyjump", "none")
        if jump.lower() != "none" or (not server.ssh.jump and found.text("proxycommand", "none") != "none"):
            return None
        return found.hostname, query.port or int(found.text("port", "22"))

    def _config(self, query: HostQuery) -> HostConfig:
        """Read the config once per server: a `Match exec` runs only once."""
        if query not in self._asked:
            self._asked[query] = host_config(self._files, query)
        return self._asked[query]

    def _of(self, server: Server, query: HostQuery, passed: tuple[str, ...], *, jumps: bool = True) -> Route:
        if server.name in passed:
            circle = " → ".join((*passed, server.name))
            raise UsageError(server.name, f"its jump hosts form a cycle: {circle}", "remove one of them")
        passed = (*passed, server.name)
        from multiall_cli.adapters.ssh.parameters import connection_parameters

        config = self._config(query)
        place = connection_parameters(query, config)
        known = tokens(query.alias, place.address, place.port, place.user, config.text("hostkeyalias").lower())
        own = (Path(server.ssh.identity).expanduser(),) if server.ssh.identity else ()
        proxy = "" if server.ssh.jump else config.text("proxycommand", "none")
        return Route(
            name=server.name,
            address=place.address,
            port=place.port,
            user=place.user,
            key_name=config.text("hostkeyalias").lower() or _host_and_port(place.address, place.port),
            pinned=self._pinned,
            known_hosts=_known_hosts(config, known),
            connect_timeout=config.connect_timeout or self._connect_timeout,
            identities=(*own, *_paths(config, "identityfile", known)),
            certificates=_paths(config, "certificatefile", known),
            identities_only=config.text("identitiesonly", "no").lower() in ("yes", "true"),
            default_identities=not (own or "identityfile" in config.values),
            agent=_agent(config, known),
            password=server.ssh.password,
            proxy_command="" if proxy == "none" else _expand(config, "proxycommand", proxy, only(known, "hnpr")),
            family=config.text("addressfamily", "any").lower(),
            revoked=_paths(config, "revokedhostkeys", {}),
            bind_address=config.text("bindaddress"),
            jump=self._jump(server.ssh.jump or config.text("proxyjump"), passed) if jumps else None,
        )

    def _jump(self, hops: str, passed: tuple[str, ...]) -> Route | None:
        """Return the last of `first,second,…`, each reached through the one before it."""
        if not hops or hops.lower() == "none":
            return None
        route: Route | None = None
        for hop in hops.split(","):
            if route is None:
                route = self._hop(hop.strip(), passed)
            else:  # as with `ssh -J`, its own jump hosts are ignored: it is reached through the hop before it
                route = replace(self._hop(hop.strip(), passed, jumps=False), jump=route, proxy_command="")
        return route

    def _hop(self, hop: str, passed: tuple[str, ...], *, jumps: bool = True) -> Route:
        """Return the route to a server of the site, or to `user@alias:port` by the ssh config."""
        if hop in self._servers:
            return self._of(self._servers[hop], _query_of(self._servers[hop]), passed, jumps=jumps)
        user, host, port = split_hop(hop)
        server = Server(name=hop, address=host, ssh=Ssh(user=user or None, port=port or None))
        return self._of(server, HostQuery(host, user=user, port=port), passed, jumps=jumps)


def _query_of(server: Server) -> HostQuery:
    """The alias is the server's name; its address in the inventory wins over a HostName for the alias."""
    address = server.address if server.address != server.name else ""
    return HostQuery(server.name, address, server.ssh.user or "", server.ssh.port or 0)


def split_hop(hop: str) -> tuple[str, str, int]:
    """Split `[user@]host[:port]` or `ssh://…` as ssh does; IPv6 addresses are in brackets. Raises UsageError."""
    user, _, place = hop.removeprefix("ssh://").rstrip("/").rpartition("@")
    found = _HOP.fullmatch(place)
    port = int(found["port"] or 0) if found else -1
    if not found or not 0 <= port < 65536:
        raise UsageError(f"jump {hop}", "not [user@]host[:port]", "fix `ssh.jump`, or ProxyJump in ~/.ssh/config")
    return user, found["bracketed"] or found["plain"], port


_HOP = re.compile(
    r"(?:\[(?P<bracketed>[^\]]+)\]|(?P<plain>[^:\[\]]+|[^\[\]]*:[^\[\]]*:[^\[\]]*?))(?::(?P<port>[0-9]{1,5}))?"
)


def _host_and_port(host: str, port: int) -> str:
    return host if port == 22 else f"[{host}]:{port}"


def _expand(config: HostConfig, keyword: str, text: str, known: Mapping[str, str], *, environment: bool = False) -> str:
    found = config.first(keyword)
    where = found.line.where if found is not None else keyword
    return expand(text, known, where, environment=environment)


def _paths(config: HostConfig, keyword: str, known: Mapping[str, str]) -> tuple[Path, ...]:
    """Return files with their tokens and variables expanded; `none` is none."""
    return tuple(
        at_home(expand(word, known, value.line.where, environment=True), value.line.where)
        for value in config.values.get(keyword, ())
        for word in value.words
        if word.lower() != "none"
    )


def _agent(config: HostConfig, known: Mapping[str, str]) -> str | None:
    text = config.text("identityagent", "SSH_AUTH_SOCK")
    if text == "SSH_AUTH_SOCK":
        return None
    if text == "none":
        return ""
    if text.startswith("$") and not text.startswith("${"):
        return os.environ.get(text[1:], "")
    return os.path.expanduser(_expand(config, "identityagent", text, known, environment=True))


def _known_hosts(config: HostConfig, known: Mapping[str, str]) -> tuple[Path, ...]:
    user = _paths(config, "userknownhostsfile", known) if "userknownhostsfile" in config.values else _plain(USER_FILES)
    first = config.first("globalknownhostsfile")
    return (*user, *(_plain(GLOBAL_FILES) if first is None else _plain(first.words, first.line.where)))


def _plain(files: Sequence[str], where: str = "") -> tuple[Path, ...]:
    return tuple(at_home(file, where) for file in files if file.lower() != "none")
