"""`fleet.doctor`."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from multiall_cli.domain.answer import Finding
from multiall_cli.fleet import doctor as work

if TYPE_CHECKING:
    from multiall_cli.engine.context import Context


class Doctor:
    """Doctor: diagnosis of the admin host and of the connections, with fixes."""

    def __init__(self, context: "Context") -> None:
        self._context = context

    def examine(self, target: str = "") -> Iterator[Finding]:
        """Yield findings about the connections to servers. `target` '': all servers."""
        return work.examine_servers(self._context, target)

    def examine_site(self) -> Iterator[Finding]:
        """Yield findings about the admin host itself."""
        return work.examine_site(self._context)

    def sudoers(self, target: str = "") -> tuple[str, ...]:
        """Return the sudoers lines that the servers' `become: sudo` needs, one per user."""
        return work.sudoers(self._context, target)
