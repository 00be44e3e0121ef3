"""Options of a Fleet for callers of the Python API."""

import socket
from collections.abc import Callable

from multiall_cli.domain.dataclass import dataclass
from multiall_cli.domain.run import Progress

VANTAGE = socket.gethostname()
"""The admin host's own name as an observer."""


@dataclass(frozen=True, slots=True)
class FleetOptions:
    """Options of a Fleet. `parallel`: number of servers at once; `timeout`: seconds; None: the site's settings apply.

    `watch`: called with each step of a longer verb; `stop`: returns whether to begin no further member; `warn`: called
    with warnings for the operator; `become_password`: for all servers with a `become` that declare none; `dead_after`:
    seconds without an answer of a server's kernel after which the connection counts as cut.
    """

    parallel: int | None = None
    timeout: float | None = None
    watch: Callable[[Progress], None] = lambda step: None
    stop: Callable[[], bool] = lambda: False
    warn: Callable[[str], None] = lambda words: None
    become_password: str | None = None
    dead_after: float | None = None
