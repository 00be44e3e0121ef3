"""Effective declarations of one server, merged from all its pools."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import fields, replace

from multiall_cli.domain.change import Conflict
from multiall_cli.domain.dataclass import dataclass
from multiall_cli.domain.errors import Origin
from multiall_cli.domain.inventory import FilesDeclaration, Inventory, Server
from multiall_cli.domain.records import Claim, key_of
from multiall_cli.domain.rule_source import NOWHERE
from multiall_cli.planning.zones.claims import claims_of

_KEYS = {"group": "owner", "from_member": "source", "file_mode": "mode.files", "dir_mode": "mode.dirs"}
"""Fields of a declaration that have another key in the site's file."""

_FIELDS = tuple(field.name for field in fields(FilesDeclaration) if field.compare)

_SPECIAL = re.compile(r"[*?\[\\]")
"""Characters that a pattern of `exclude` would not read literally."""


@dataclass(frozen=True, slots=True)
class EffectiveValue:
    """One effective value of a server, its pool ('': the server's own), and its origin."""

    key: str
    value: str
    pool: str
    origin: Origin


def effective_files(inventory: Inventory, server: str) -> tuple[tuple[FilesDeclaration, ...], tuple[Conflict, ...]]:
    """Return the file trees of a server, and conflicts between its pools.

    Equal claims on a path become one, which names all their pools. Of unequal claims the highest priority wins; with
    equal priority the path is a conflict and is left out. A tree below another one is carved out of it: the outer tree
    excludes it, anchored at its own root.
    """
    claims: dict[str, list[tuple[int, FilesDeclaration]]] = {}
    for pool in inventory.pools_of(server):
        for declaration in pool.files:
            claims.setdefault(declaration.path, []).append((pool.priority, declaration))
    settled: list[FilesDeclaration] = []
    conflicts: list[Conflict] = []
    for path in sorted(claims):
        rivals = _highest(claims[path])
        unequal = [rival for rival in rivals if rival != rivals[0]]
        conflicts += [_conflict(server, rivals[0], rival) for rival in unequal]
        if not unequal:
            settled.append(replace(rivals[0], pools=tuple(pool for rival in rivals for pool in rival.pools)))
    return tuple(_carved(declaration, claims) for declaration in settled), tuple(conflicts)


def explain(inventory: Inventory, server: str) -> tuple[EffectiveValue, ...]:
    """Return every effective value of a server with its pool and origin. Conflicts are left out."""
    found = inventory.servers[server]
    return (
        *_of_server(found),
        *_of_pools(inventory, server),
        *_of_files(effective_files(inventory, server)[0]),
        *_of_names(claims_of(inventory)[0], server),
    )


def _highest(claims: Sequence[tuple[int, FilesDeclaration]]) -> list[FilesDeclaration]:
    top = max(priority for priority, _ in claims)
    return [declaration for priority, declaration in claims if priority == top]


def _conflict(server: str, one: FilesDeclaration, other: FilesDeclaration) -> Conflict:
    differing = [name for name in _FIELDS if getattr(one, name) != getattr(other, name)]
    # Keys, not fields: owner and group share one key, and so do source and from_member.
    keys = ", ".join(dict.fromkeys(_key(name) for name in differing))
    return Conflict(
        f"{server} files:{one.path}",
        f"pools {', '.join(one.pools)} ({one.origin}) and {', '.join(other.pools)} ({other.origin}) differ in {keys}",
        "make them equal, or give one of the pools a higher `priority:`",
    )


def _key(field: str) -> str:
    return _KEYS.get(field, field)


def _carved(declaration: FilesDeclaration, paths: Iterable[str]) -> FilesDeclaration:
    """Return the declaration without the trees claimed below it, including those in conflict."""
    root = declaration.path + "/"
    below = sorted(path for path in paths if path.startswith(root))
    tops = [path for path in below if not any(path.startswith(other + "/") for other in below)]
    extra = tuple("/" + _SPECIAL.sub(r"\\\g<0>", path.removeprefix(root)) for path in tops)
    return replace(declaration, exclude=declaration.exclude + extra) if extra else declaration


def _of_server(server: Server) -> Iterator[EffectiveValue]:
    def told(key: str, value: object) -> EffectiveValue:
        return EffectiveValue(key, str(value), "", server.where.get(key, NOWHERE))

    yield EffectiveValue("name", server.name, "", server.origin)
    yield told("address", server.address)
    yield told("transport", server.link.value)
    ssh = server.ssh
    for key in ("user", "port", "jump", "identity", "password"):
        value = getattr(ssh, key)
        yield told(f"ssh.{key}", "as ~/.ssh/config says" if value is None else value)
    become = server.become
    # `become: sudo` is short for `become.method`.
    written = server.where.get("become.method") or server.where.get("become", NOWHERE)
    yield EffectiveValue("become.method", become.method.value, "", written)
    yield told("become.user", become.user)
    if become.password is not None:
        yield told("become.password", become.password)
    for label, value in server.labels.items():
        yield told(f"labels.{label}", value)
    if server.public:
        yield told("public", ", ".join(server.public))
    if server.depends_on:
        yield told("depends_on", ", ".join(server.depends_on))
    for window in server.windows:
        yield EffectiveValue("windows", str(window), "", window.origin)


def _of_pools(inventory: Inventory, server: str) -> Iterator[EffectiveValue]:
    for pool in inventory.pools_of(server):
        yield EffectiveValue("pool", pool.name, pool.name, pool.origin)
        for window in pool.windows:
            yield EffectiveValue("windows", str(window), pool.name, window.origin)


def _of_files(declarations: Iterable[FilesDeclaration]) -> Iterator[EffectiveValue]:
    for declaration in declarations:
        for name in _FIELDS:
            if name in ("path", "from_member"):
                continue
            origin = declaration.where.get(_key(name), NOWHERE)
            value = _told(name, getattr(declaration, name))
            key = _key(name) if name.endswith("_mode") else name
            yield EffectiveValue(f"files:{declaration.path} {key}", value, ", ".join(declaration.pools), origin)


def _of_names(claims: Iterable[Claim], server: str) -> Iterator[EffectiveValue]:
    """Yield the record of this server in each name, which it has while it can serve."""
    for claim in claims:
        if server in claim.values:
            pools = ", ".join(claim.pools or (claim.pool,))
            yield EffectiveValue(f"names:{key_of(claim.place)}", claim.values[server], pools, claim.origin)


def _told(field: str, value: object) -> str:
    if value is None:
        return "as in the source" if field in ("file_mode", "dir_mode") else "as it is"
    if isinstance(value, tuple):
        return ", ".join(str(part) for part in value) or "none"
    if field in ("file_mode", "dir_mode"):
        return f"{value:04o}"
    if isinstance(value, bool):
        return str(value).lower()
    if field == "entries" and not value:
        return "as the source makes likely"
    if field == "trash":
        return f"{value} day{'' if value == 1 else 's'}"
    return str(value)
