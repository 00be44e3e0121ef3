"""The contract between the engine and what it keeps the same."""

from collections.abc import Collection, Iterator, Sequence
from typing import Any, ClassVar, Protocol, Self, runtime_checkable

from multiall_cli.domain.change import Change, Item, Outcome, Snapshot
from multiall_cli.domain.inventory import After, Server
from multiall_cli.ports.session import Session


class SyncAgent(Protocol[Item]):
    """One kind of thing that is kept the same. An instance is its declaration; all four agents have this shape."""

    kind: ClassVar[str]

    @property
    def name(self) -> str:
        """Kind and subject, unique within a pool: `files:/srv/www`."""
        ...

    def desired(self, server: Server) -> Snapshot[Item]:
        """What the server is to have. Pure."""
        ...

    def observe(self, session: Session, only: Collection[str] | None = None) -> Snapshot[Item]:
        """What the server has. Reads only. `only`: no one asks for anything but these keys."""
        ...

    def apply(self, session: Session, changes: Sequence[Change[Item]], run: str) -> Iterator[Outcome[Item]]:
        """Make the changes; exactly one outcome per change. `run` names the run in what stays on the member."""
        ...


@runtime_checkable
class Sourced(Protocol):
    """An agent whose wanted state is read from a server first: a folder of the admin host, or a member."""

    @property
    def source(self) -> Server: ...

    def read(self, session: Session) -> Self:
        """The same agent with its source read, so that `desired` is pure from here on. Errors: Refused.

        The session is the agent's until `release`.
        """
        ...

    def release(self) -> None:
        """Let go of what `read` opened."""
        ...


@runtime_checkable
class Watched(Protocol):
    """An agent with actions to be done once per member where something changed."""

    @property
    def actions(self) -> Sequence[After]:
        """All that are declared."""
        ...

    def after(self, changes: Sequence[Change[Any]]) -> Sequence[After]:
        """Those that the changes call for."""
        ...


@runtime_checkable
class Remarking(Protocol):
    """An agent that can say what its plan of a server leaves out or cannot do."""

    def remarks(self, server: Server) -> Sequence[str]:
        """One sentence each, with what to do; known once the server was observed."""
        ...


@runtime_checkable
class Remembering(Protocol):
    """An agent that wants to know next time what a member and the admin host last agreed on."""

    def remember(self, server: Server, *, complete: bool) -> bytes | None:
        """What they agree on; None where this agent will not ask for it.

        `complete`: the server is as wanted. Else it was given something, and what it had before may still be there.
        """
        ...


@runtime_checkable
class Legible(Protocol):
    """An agent whose changes can be read as text, for `pool diff`."""

    def texts(self, session: Session, changes: Sequence[Change[Any]]) -> Iterator[tuple[str, bytes, bytes]]:
        """(key, content before, content after) of each change that has content."""
        ...
