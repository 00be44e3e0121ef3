"""What every loop of the engine is given: the ports, and how it is watched and stopped."""

import time
from collections.abc import Callable, Mapping
from dataclasses import field
from typing import Any

from multiall_cli.domain.dataclass import dataclass
from multiall_cli.domain.errors import Unreachable
from multiall_cli.domain.inventory import Server
from multiall_cli.domain.run import Step
from multiall_cli.ports.agent import SyncAgent
from multiall_cli.ports.clock import Clock
from multiall_cli.ports.store import Store
from multiall_cli.ports.transport import Transport

Agent = SyncAgent[Any]
"""Any agent: the engine never looks into its items."""


@dataclass(frozen=True, slots=True)
class World:
    """`watch` is told each step; `stop` answers whether no further member is to be begun.

    `vantage`: our own name as an observer, for what we meet on the way; `away`: the servers that the topology holds
    to be in maintenance or down: no connection to them is tried; `relays`: who is reached through which brother;
    `pause`: does nothing for so many seconds; `silence`: seconds that a server may be silent.
    """

    transport: Transport
    store: Store
    clock: Clock
    parallel: int = 32
    watch: Callable[[Step], None] = lambda step: None
    stop: Callable[[], bool] = lambda: False
    vantage: str = ""
    away: Mapping[str, Unreachable] = field(default_factory=dict)
    relays: Mapping[str, str] = field(default_factory=dict)
    pause: Callable[[float], None] = time.sleep
    silence: float = 60.0

    def observer_of(self, server: str) -> str:
        """Who it is that meets a server when we work on it."""
        return self.relays.get(server, self.vantage)


@dataclass(frozen=True, slots=True)
class Assignment:
    """One agent and the members on which it is to be as declared."""

    agent: Agent
    servers: tuple[Server, ...]
