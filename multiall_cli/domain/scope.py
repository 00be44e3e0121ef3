"""Scope of a run: locked scopes, changed subjects, and the purpose."""

from enum import StrEnum

from multiall_cli.domain.dataclass import dataclass


class ScopeKind(StrEnum):
    POOL = "pool"
    ZONE = "zone"
    SITE = "site"


@dataclass(frozen=True, slots=True, order=True)
class Scope:
    """Unit of locks and runs: a pool, a zone, or one purpose of the whole site (`scan`, `copy`).

    Locks are taken in this order: the pool, then zones by name, one at a time. A service's scope is locked only while
    the service is changed, never for a whole rollout. A run has several scopes: its own, and that of each service it
    changed. So the history of a pool includes its names, and that of a zone includes its pools.
    """

    kind: ScopeKind
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"

    @property
    def noun(self) -> str:
        """Return the noun of its commands: `multiall dns plan ZONE`."""
        return "dns" if self.kind is ScopeKind.ZONE else self.kind.value


def pool_scope(name: str) -> Scope:
    return Scope(ScopeKind.POOL, name)


def zone_scope(zone: str) -> Scope:
    """Return the scope of a zone. `zone`: its id in the inventory."""
    return Scope(ScopeKind.ZONE, zone)


def site_scope(purpose: str) -> Scope:
    return Scope(ScopeKind.SITE, purpose)


class Role(StrEnum):
    """Role of a subject in its pool. Only members are batched, gated, drained and counted by `max_fail`."""

    MEMBER = "member"
    SERVICE = "service"
    """Service for the pool, for example a zone. Services are changed after all batches."""


@dataclass(frozen=True, slots=True)
class Subject:
    """Unit that an agent changes.

    `name`: of a member, the server's name; of a service, a name that is unique among the services of its kind.
    `server`: the subject is deferred if this server is unreachable. `scope`: of a service, locked while it is changed;
    None for members, for which the lock of the run is enough. A member and a service may have the same name, so names
    alone identify neither.
    """

    name: str
    server: str
    role: Role = Role.MEMBER
    scope: Scope | None = None

    @property
    def is_member(self) -> bool:
        return self.role is Role.MEMBER


class Purpose(StrEnum):
    """Purpose of a sync. The journal saves it with each entry."""

    SYNC = "sync"
    DRAIN = "drain"
    """Members leave the services that point to them before their batch.

    This is deliberate, so guards against many losses ignore it, and it is not damped.
    """
    RESTORE = "restore"
    """Members are put back after their batch."""
