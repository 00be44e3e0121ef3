"""The result of an import, with skipped entries, and its text as an inventory file."""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import field

from multiall_cli.adapters.site import schema as shapes
from multiall_cli.adapters.site.convert import is_address
from multiall_cli.domain.dataclass import dataclass
from multiall_cli.domain.errors import Origin
from multiall_cli.domain.inventory import Become, BecomeMethod, Link, Pool, Server, Ssh
from multiall_cli.planning.targets.ranges import is_name, shown
from multiall_cli.planning.targets.selection import SPECIAL, STATE

_PLAIN = re.compile(r"[A-Za-z_/][A-Za-z0-9_./@:-]*[A-Za-z0-9_/]|[A-Za-z_]")
_DOTTED = {key: f"ssh.{key}" for key in ("user", "port", "jump", "identity")} | {"become_user": "become.user"}
_WORDS = frozenset(("true", "false", "null"))


@dataclass(frozen=True, slots=True)
class SkippedEntry:
    """A skipped entry, and the reason."""

    origin: Origin
    what: str

    def __str__(self) -> str:
        return f"{self.origin}: {self.what}"


@dataclass(frozen=True, slots=True)
class ImportResult:
    """Servers and pools as another tool's files declare them; `skipped` has the skipped entries."""

    servers: tuple[Server, ...]
    pools: tuple[Pool, ...] = ()
    skipped: tuple[SkippedEntry, ...] = ()


@dataclass(slots=True)
class ServerDraft:
    """The values of one server while its files are read. The first value of a key wins."""

    name: str
    origin: Origin
    values: dict[str, tuple[str, Origin]] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)
    seen: set[str] = field(default_factory=set)
    missing: dict[str, str] = field(default_factory=dict)
    """Keys that could not be imported, and their sources."""

    def put(self, key: str, value: str, origin: Origin) -> None:
        self.values.setdefault(key, (value, origin))

    def server(self) -> Server:
        values = {key: value for key, (value, _) in self.values.items()}
        port = values.get("port")
        return Server(
            name=self.name,
            address=values.get("address", self.name),
            link=Link(values.get("transport", "ssh")),
            ssh=Ssh(values.get("user"), int(port) if port else None, values.get("jump"), values.get("identity")),
            become=Become(BecomeMethod(values.get("become", "none")), values.get("become_user", "root")),
            labels=self.labels,
            origin=self.origin,
            where={_DOTTED.get(key, key): origin for key, (_, origin) in self.values.items()},
        )


def refusal(key: str, value: str) -> str | None:
    """Return why a value of a server cannot be imported, None if it can: the rules of site files apply."""
    return None if _CHECKS[key](value) else f"{shown(value)} is not a valid {key.replace('_', ' ')}"


def _is_port(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 6 and 0 < int(text) < 65536


def _is_path(text: str) -> bool:
    # A relative path would start at the site, not at the imported file.
    return text.startswith(("/", "~/")) and text.isprintable() and shapes.matches(text, shapes.Place)


def _is_user(text: str) -> bool:
    return shapes.matches(text, shapes.User)


def _is_pool(text: str) -> bool:
    return is_name(text) and text not in SPECIAL


_CHECKS: Mapping[str, Callable[[str], bool]] = {
    "name": is_name,
    "pool": _is_pool,
    "address": is_address,
    "port": _is_port,
    "user": _is_user,
    "become_user": _is_user,
    "become": lambda text: text in ("sudo", "doas", "su"),
    "jump": lambda text: shapes.matches(text, shapes.Jump),
    "identity": _is_path,
    "label": lambda text: shapes.matches(text, shapes.Label),
    "label_name": lambda text: shapes.matches(text, shapes.LabelKey) and text != STATE,
}


def render(imported: ImportResult, title: str) -> str:
    """Return the text of an inventory file: valid, and the same for the same import."""
    lines = [f"# {line}".rstrip() for line in title.splitlines()]
    lines += ["", "servers:" if imported.servers else "servers: {}"]
    for server in imported.servers:
        body = list(_server(server))
        lines += [f"  {_quoted(server.name)}:{'' if body else ' {}'}", *body]
    if imported.pools:
        lines += ["", "pools:"]
    for pool in imported.pools:
        lines.append(f"  {_quoted(pool.name)}:")
        lines.append(f"    members: [{', '.join(_quoted(member) for member in pool.members)}]")
    return "\n".join(lines) + "\n"


def _server(server: Server) -> Iterator[str]:
    if server.address != server.name:
        yield f"    address: {_quoted(server.address)}"
    if server.link is not Link.SSH:
        yield f"    transport: {server.link.value}"
    ssh = {
        "user": server.ssh.user,
        "port": server.ssh.port,
        "jump": server.ssh.jump,
        "identity": server.ssh.identity,
    }
    yield from _table("ssh", {key: value for key, value in ssh.items() if value is not None})
    if server.become.method is not BecomeMethod.NONE and server.become.user == "root":
        yield f"    become: {server.become.method.value}"
    elif server.become.method is not BecomeMethod.NONE:
        yield from _table("become", {"method": server.become.method.value, "user": server.become.user})
    yield from _table("labels", server.labels)


def _table(key: str, values: Mapping[str, str | int]) -> Iterator[str]:
    if values:
        inner = ", ".join(
            f"{_quoted(name)}: {value if isinstance(value, int) else _quoted(value)}" for name, value in values.items()
        )
        yield f"    {key}: {{{inner}}}"


def _quoted(text: str) -> str:
    """Return a YAML string, quoted if it could be read as another value."""
    if _PLAIN.fullmatch(text) and text.lower() not in _WORDS and ": " not in text:
        return text
    return json.dumps(text, ensure_ascii=False)
