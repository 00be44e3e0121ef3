"""`fleet.servers`."""

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from multiall_cli.domain.answer import Executed, Facts, HostKeyOffer
from multiall_cli.domain.inventory import Server
from multiall_cli.domain.plan import Plan
from multiall_cli.domain.report import Report
from multiall_cli.fleet.lookup import find_server, select_or_all, select_servers

if TYPE_CHECKING:
    from multiall_cli.engine.context import Context
    from multiall_cli.engine.execute import OnLine
    from multiall_cli.planning.merge import EffectiveValue


class Servers:
    """Servers: their values and the sources of these, commands and copies."""

    def __init__(self, context: "Context") -> None:
        self._context = context

    def find(self, name: str) -> Server:
        """Return a server. Raises UsageError with the nearest known name."""
        return find_server(self._context, name)

    def select(self, target: str) -> tuple[Server, ...]:
        """Return the servers that a target expression means. Raises UsageError if there are none."""
        return select_servers(self._context, target)

    def select_or_all(self, target: str) -> tuple[Server, ...]:
        """Return the servers of a target like `select`, or all servers if it is ''."""
        return select_or_all(self._context, target)

    def explain(self, server: str) -> "tuple[EffectiveValue, ...]":
        """Return every effective value of a server, with the pool and the place that gave it. Raises UsageError."""
        from multiall_cli.planning.merge import explain

        return explain(self._context.inventory, self.find(server).name)

    def execute(
        self, target: str, argv: Sequence[str], *, stdin: bytes = b"", on_output: "OnLine | None" = None
    ) -> Iterator[Executed]:
        """Run a command on servers; yield results as they arrive."""
        from multiall_cli.fleet import execute

        return execute.execute(self._context, target, argv, stdin, on_output)

    def facts(self, target: str) -> Iterator[Facts]:
        """Ask servers for their system, kernel, python and memory; yield answers as they arrive."""
        from multiall_cli.fleet import execute

        return execute.facts(self._context, target)

    def copy(self, source: str, target: str, path: str, *, confirm: Callable[[Plan], bool]) -> Report:
        """Copy a file or a folder of the admin host to a path on servers. Deletes nothing there."""
        from multiall_cli.fleet import copy

        return copy.copy(self._context, source, target, path, confirm)

    def fetch(self, target: str, path: str, folder: str) -> tuple[Report, ...]:
        """Copy a file or a folder of servers to `folder`/SERVER on the admin host; yield a report per server."""
        from multiall_cli.fleet import copy

        return copy.fetch(self._context, target, path, folder)

    def offer(self, server: str) -> HostKeyOffer:
        """Return the host key that a server shows now, compared with the known ones. Raises Unreachable."""
        from multiall_cli.fleet import trust

        return trust.offered(self._context, server)

    def trust(self, server: str, fingerprint: str, *, replace: bool = False) -> str:
        """Pin the key that a server shows, if it has this fingerprint; return the file. Raises Refused, Unreachable."""
        from multiall_cli.fleet import trust

        return trust.trust(self._context, server, fingerprint, replace=replace)

    def login_command(self, server: Server) -> list[str]:
        """Return the argv of an `ssh` login, with the site's settings for the server."""
        from multiall_cli.fleet import trust

        return trust.login_command(self._context, server)
