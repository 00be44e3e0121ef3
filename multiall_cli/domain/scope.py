"""What a run is about: scopes that are locked, subjects that are changed, and the purpose."""

from enum import StrEnum

from multiall_cli.domain.dataclass import dataclass


class ScopeKind(StrEnum):
    POOL = "pool"
    ZONE = "zone"
    SITE = "site"


@dataclass(frozen=True, slots=True, order=True)
class Scope:
    """What a lock holds and a run is about: a pool, a zone, or one purpose of the whole site (`scan`, `copy`).

    Locks are taken in this order: the pool, then zones by name, one at a time. A run has several scopes: its own, and
    that of each service it changed. So the history of a pool shows its names, and that of a zone shows its pools.
    """

    kind: ScopeKind
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


def pool_scope(name: str) -> Scope:
    return Scope(ScopeKind.POOL, name)


def zone_scope(zone: str) -> Scope:
    """`zone`: its id in the inventory."""
    return Scope(ScopeKind.ZONE, zone)


def site_scope(purpose: str) -> Scope:
    return Scope(ScopeKind.SITE, purpose)


class Role(StrEnum):
    """What a subject is to its pool. Only members are batched, gated, drained and counted by `max_fail`."""

    MEMBER = "member"
    SERVICE = "service"
    """Something that serves the pool, such as a zone. Services are changed after all batches."""


@dataclass(frozen=True, slots=True)
class Subject:
    """What an agent changes.

    `name`: of a member, the server's name; of a service, a name that is unique among the services of its kind.
    `server`: whose reachability decides whether the subject is deferred. `scope`: what is locked while the subject is
    changed; None: the lock of the run is enough.
    """

    name: str
    server: str
    role: Role = Role.MEMBER
    scope: Scope | None = None


class Purpose(StrEnum):
    """Why subjects are synced. The journal saves it with each entry."""

    SYNC = "sync"
    DRAIN = "drain"
    """Members leave what serves them before their batch. Deliberate, so guards against many losses do not look at it
    and it is not damped."""
    RESTORE = "restore"
    """Members are put back after their batch."""
