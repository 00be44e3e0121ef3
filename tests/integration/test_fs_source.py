"""The source's content is read once, however many members want it."""

import random
from collections.abc import Callable, Iterable
from contextlib import closing
from pathlib import Path

from multiall_cli.adapters.clock import SystemClock
from multiall_cli.adapters.memory import MemoryTransport
from multiall_cli.adapters.store.sqlite import SqliteStore
from multiall_cli.agents.files import file_tree
from multiall_cli.domain.exits import Exit
from multiall_cli.domain.inventory import ADMIN, FilesDeclaration, Server
from multiall_cli.domain.scope import pool_scope
from multiall_cli.engine.sync import SyncOptions, sync
from multiall_cli.ports.session import Reply, Session
from tests.fixtures.bench import contents, server
from tests.fixtures.contexts import context
from tests.fixtures.pipes import Kept

SIZE = 3_000_000


class Overheard(Kept):
    """A session whose answers are weighed."""

    def __init__(self, session: Session, weigh: Callable[[int], None]) -> None:
        super().__init__(session)
        self._weigh = weigh

    def call(
        self, operation: str, payload: Iterable[bytes] = (), timeout: float | None = None, **arguments: object
    ) -> Reply:
        return Weighed(super().call(operation, payload, timeout, **arguments), self._weigh)


class Weighed:
    """An answer."""

    def __init__(self, reply: Reply, weigh: Callable[[int], None]) -> None:
        self._reply = reply
        self._weigh = weigh
        self.value = reply.value

    def pieces(self) -> Iterable[bytes]:
        for piece in self._reply.pieces():
            self._weigh(len(piece))
            yield piece


class Listening(MemoryTransport):
    """Adds up what comes from the source."""

    heard = 0

    def open(self, server: Server) -> Session:  # type: ignore[override]
        session = super().open(server)
        return Overheard(session, self._weigh) if server == ADMIN else session

    def _weigh(self, size: int) -> None:
        self.heard += size


def _heard_of_the_source(folder: Path, members: int) -> int:
    """Bytes that came from the source for a first copy to so many members."""
    source = folder / "source"
    source.mkdir(parents=True)
    (source / "large").write_bytes(random.Random(1).randbytes(SIZE))
    servers = tuple(server(number) for number in range(members))
    with closing(SqliteStore(folder / "state")) as store, closing(Listening()) as transport:
        agent = file_tree(FilesDeclaration("~/tree", str(source)), {}, store, members=servers)
        world = context(transport, store, SystemClock())
        assert sync(world, pool_scope("web"), [agent], servers, SyncOptions()).exit is Exit.OK
        assert all(contents(transport.home(each.name) / "tree") == contents(source) for each in servers)
        return transport.heard


def test_the_source_is_read_once_for_all_members(tmp_path: Path) -> None:
    one, five = (_heard_of_the_source(tmp_path / f"{members}", members) for members in (1, 5))
    assert SIZE <= one <= SIZE * 1.1
    assert (
        five - one < SIZE / 1000
    )  # the figures in an answer (times, a process's number) have not always the same size
