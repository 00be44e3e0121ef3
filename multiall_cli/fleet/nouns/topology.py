"""`fleet.topology`."""

from pathlib import Path
from typing import TYPE_CHECKING

from multiall_cli.domain.discovery import Discovery
from multiall_cli.domain.publication import Verified
from multiall_cli.domain.topology import Downtime, DowntimeKind, Event, Round, Topology
from multiall_cli.fleet import topology as work

if TYPE_CHECKING:
    from multiall_cli.engine.context import Context

WARM = 256  # connections that a watch leaves open


class TopologyVerbs:
    """Topology: reachability between servers, their states, and downtimes."""

    def __init__(self, context: "Context") -> None:
        self._context = context

    def scan(self, *, links: bool | None = None, logins: bool = True) -> Round:
        """Probe every server once and save the result. Raises Locked while another scan runs.

        `links`: ask servers about each other too (None: if there are few); `logins`: log in to those whose turn it is.
        """
        return work.scan(self._context, links=links, logins=logins)

    def current(self) -> Topology:
        """Return the picture as the last scan left it, with downtimes set since. Asks no server."""
        return work.current_topology(self._context)

    def keep_warm(self, most: int = WARM) -> None:
        """From now on, leave open what scans and checks open.

        A sign of life over an open connection is cheaper than a probe, its end is noticed at once, and the next check
        needs no login.
        """
        self._context.adapters.keep_warm(most)

    def is_hinted(self) -> bool:
        """Return whether an open connection has ended since the last scan: then the next scan is urgent."""
        return self._context.adapters.is_hinted()

    def discover(self, target: str = "") -> Discovery:
        """Return neighbours of servers that the inventory does not have. `target` '': asks all servers. Reads only."""
        return work.discover(self._context, target)

    def events(self, limit: int, server: str | None = None, until: float | None = None) -> tuple[Event, ...]:
        """Return state changes, newest first. `server`: changes of this one and of the whole."""
        return work.events(self._context, limit, server, until)

    def set_downtime(
        self, target: str, what: DowntimeKind, begins: float, ends: float, because: str
    ) -> tuple[Downtime, ...]:
        """Drain servers, put them in maintenance or pin them, until a time (seconds since the epoch).

        `begins` 0: from now on, also if the clock is set back. Raises UsageError.
        """
        return work.set_downtime(self._context, target, what, begins, ends, because)

    def end_downtime(self, target: str) -> tuple[Downtime, ...]:
        """End all downtimes of servers; return those that ended. Raises UsageError."""
        return work.end_downtime(self._context, target)

    def verify(self, file: Path) -> Verified:
        """Check whether a published topology is of this site and still valid. Raises UsageError."""
        return work.verify(self._context, file)

    @property
    def public_key(self) -> str:
        """Return base64 of the site's own public key (Ed25519), which verifies its publications."""
        return self._context.adapters.signer.public
