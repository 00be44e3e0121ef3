"""Python API, and the only place that connects ports with their adapters."""

import os
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Self

from multiall_cli.adapters.clock import SystemClock
from multiall_cli.adapters.site.read import find_site, read_site
from multiall_cli.domain.inventory import Inventory, Site
from multiall_cli.fleet.adapters import SiteAdapters
from multiall_cli.fleet.options import VANTAGE, FleetOptions

if TYPE_CHECKING:
    from multiall_cli.engine.context import Context
    from multiall_cli.fleet.nouns.baseline import Baseline
    from multiall_cli.fleet.nouns.doctor import Doctor
    from multiall_cli.fleet.nouns.journal import JournalVerbs
    from multiall_cli.fleet.nouns.pools import Pools
    from multiall_cli.fleet.nouns.servers import Servers
    from multiall_cli.fleet.nouns.topology import TopologyVerbs
    from multiall_cli.fleet.nouns.zones import Zones

__all__ = ["Fleet", "FleetOptions"]

AS_SET = FleetOptions()
"""Default of the site's settings."""


class Fleet:
    """Whole site: one attribute per noun. Use it as a context manager, or `close` it."""

    def __init__(self, site: Site, options: FleetOptions = AS_SET) -> None:
        self.site = site
        self.options = options
        self._clock = SystemClock()
        self._adapters = SiteAdapters(site, options, self._clock)

    @classmethod
    def load(cls, site: str | None = None, options: FleetOptions = AS_SET) -> Self:
        """Open the site at a path, or the one found from the working directory. Raises UsageError, InputFaults."""
        return cls(read_site(find_site(site, os.environ, Path.cwd())), options)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._adapters.close()

    @property
    def inventory(self) -> Inventory:
        return self.site.inventory

    @cached_property
    def context(self) -> "Context":
        """Return the input of every function of the fleet and of the engine."""
        from multiall_cli.engine.context import Context

        settings, options = self.site.settings, self.options
        return Context(
            self.site,
            self._adapters,
            self._clock,
            VANTAGE,
            options.parallel or settings.parallel,
            options.timeout or settings.timeout,
            options.timeout,
            options.watch,
            options.stop,
            options.warn,
        )

    @cached_property
    def pools(self) -> "Pools":
        from multiall_cli.fleet.nouns.pools import Pools

        return Pools(self.context)

    @cached_property
    def servers(self) -> "Servers":
        from multiall_cli.fleet.nouns.servers import Servers

        return Servers(self.context)

    @cached_property
    def topology(self) -> "TopologyVerbs":
        from multiall_cli.fleet.nouns.topology import TopologyVerbs

        return TopologyVerbs(self.context)

    @cached_property
    def baseline(self) -> "Baseline":
        from multiall_cli.fleet.nouns.baseline import Baseline

        return Baseline(self.context)

    @cached_property
    def zones(self) -> "Zones":
        from multiall_cli.fleet.nouns.zones import Zones

        return Zones(self.context)

    @cached_property
    def journal(self) -> "JournalVerbs":
        from multiall_cli.fleet.nouns.journal import JournalVerbs

        return JournalVerbs(self.context)

    @cached_property
    def doctor(self) -> "Doctor":
        from multiall_cli.fleet.nouns.doctor import Doctor

        return Doctor(self.context)

    def enter_network(self) -> None:
        """Enter the network that connections start from, for good: for a process that becomes another program."""
        self._adapters.enter_network()
