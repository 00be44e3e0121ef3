"""Numbered moments of a run: each step that the engine reports, and each piece of content before it is sent."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from threading import Lock

from multiall_cli.domain.inventory import Server
from multiall_cli.domain.report import Report
from multiall_cli.domain.run import Progress
from multiall_cli.fleet import Fleet, FleetOptions
from multiall_cli.fleet.sync import sync
from multiall_cli.ports.session import Session
from multiall_cli.ports.transport import Transport
from tests.fixtures.bench import ALL_GUARDS
from tests.fixtures.contexts import WithTransport
from tests.fixtures.pipes import Kept


@dataclass
class Moments:
    """Counts moments from 1; calls `at` at the chosen one and changes nothing else."""

    chosen: int
    at: Callable[[], object]
    passed: int = 0
    _turn: Lock = field(default_factory=Lock, repr=False)

    def step(self, _: Progress) -> None:
        self._pass()

    def piece(self, operation: str, _: bytes) -> None:
        if operation == "apply":
            self._pass()

    def _pass(self) -> None:
        with self._turn:
            self.passed += 1
            chosen = self.passed == self.chosen
        if chosen:
            self.at()


@dataclass(frozen=True)
class Listening:
    """A transport whose sessions report each piece before they send it."""

    transport: Transport
    on_piece: Callable[[str, bytes], None]
    only: str = ""

    def open(self, server: Server) -> Session:
        session = self.transport.open(server)
        return Kept(session, on_piece=self.on_piece) if self.only in ("", server.name) else session

    def close(self) -> None:
        self.transport.close()


def sync_through(site: str, moments: Moments, only: str = "") -> Report:
    """Run `pool sync web` through the moments: all, or only the pieces sent to one member."""
    options = FleetOptions() if only else FleetOptions(watch=moments.step)
    with Fleet.load(site, options) as fleet:
        listening = Listening(fleet.context.transport, moments.piece, only)
        context = replace(fleet.context, adapters=WithTransport(fleet.context.adapters, listening))
        return sync(context, "web", options=ALL_GUARDS)
