"""Common input of every verb: the site, its adapters, the clock, and callbacks to watch and stop the verb."""

import time
from collections.abc import Callable, Mapping
from dataclasses import field, replace
from typing import TYPE_CHECKING, Any, Self

from multiall_cli.domain.dataclass import dataclass
from multiall_cli.domain.errors import Fault, Unreachable
from multiall_cli.domain.inventory import Inventory, Site
from multiall_cli.domain.run import Progress
from multiall_cli.domain.topology import Topology
from multiall_cli.ports.adapters import Adapters
from multiall_cli.ports.agent import SyncAgent
from multiall_cli.ports.clock import Clock
from multiall_cli.ports.store import Store
from multiall_cli.ports.transport import Transport

if TYPE_CHECKING:
    from multiall_cli.engine.check_cache import CheckCache
    from multiall_cli.planning.rules import RuleBook

UNKNOWN = Topology(0.0, "", {})

Agent = SyncAgent[Any]
"""Any agent: the engine never looks into its items."""


@dataclass(slots=True)
class ProcessCache:
    """Cache of a process between verbs. Losing it costs time, never a decision."""

    rules: "tuple[RuleBook, list[Fault]] | None" = None
    """Rules of all servers and their faults: a site does not change while it is open."""
    checks: "CheckCache | None" = None
    """Last check of each server, while connections stay open."""


@dataclass(frozen=True, slots=True)
class Context:
    """Context of every function of the engine and of the fleet, in place of the Fleet.

    `vantage`: the admin host's name as an observer; `parallel`: number of servers worked on at once; `silence`: seconds
    that a server may be silent; `watch`: called with each step; `stop`: returns whether to begin no further member;
    `warn`: called with warnings for the operator; `pause`: waits for so many seconds.

    `away`: servers to which no connection is tried, because the topology has them in maintenance or down; `relays`:
    server -> the peer through which it is reached. Both are empty until `fleet.topology.informed` fills them in.
    """

    site: Site
    adapters: Adapters
    clock: Clock
    vantage: str = ""
    parallel: int = 32
    silence: float = 60.0
    timeout: float | None = None
    """Seconds of silence that the operator set for this call; None: the site's settings apply."""
    watch: Callable[[Progress], None] = lambda step: None
    stop: Callable[[], bool] = lambda: False
    warn: Callable[[str], None] = lambda words: None
    pause: Callable[[float], None] = time.sleep
    away: Mapping[str, Unreachable] = field(default_factory=dict)
    relays: Mapping[str, str] = field(default_factory=dict)
    topology: Topology = UNKNOWN
    """Picture from which `away` and `relays` come."""
    current: Callable[[], Topology] = lambda: UNKNOWN
    """Returns the picture as it is when called: a run may take an hour."""
    is_reading: bool = False
    """Whether `transport` is the adapters' `reading`: for calls that change nothing."""
    cache: ProcessCache = field(default_factory=ProcessCache)

    @property
    def inventory(self) -> Inventory:
        return self.site.inventory

    @property
    def store(self) -> Store:
        return self.adapters.store

    @property
    def transport(self) -> Transport:
        return self.adapters.reading if self.is_reading else self.adapters.transport

    @property
    def reading(self) -> Self:
        """Return the same context for calls that change nothing.

        Its sessions stay open between calls during a watch.
        """
        return replace(self, is_reading=True)

    def observer_of(self, server: str) -> str:
        """Return the observer of a server during our work on it: the admin host, or the peer that relays."""
        return self.relays.get(server, self.vantage)
