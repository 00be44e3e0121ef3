"""Bounded fan-out over threads: results arrive as they end, and a slow item never delays the others."""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from queue import Empty, SimpleQueue
from typing import Generic, TypeVar

from multiall_cli.domain.dataclass import dataclass
from multiall_cli.domain.errors import MultiAllError, Unreachable
from multiall_cli.planning.stragglers import allowance

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Stragglers(Generic[Item, Result]):
    """Limits for stragglers.

    `silence`: seconds that a server may be silent; `name`: returns an item's name for messages; `discard`: releases a
    result that arrives too late.
    """

    silence: float
    name: Callable[[Item], str]
    discard: Callable[[Result], None]


def fan_out(
    items: Sequence[Item],
    work: Callable[[Item], Result],
    parallel: int,
    stop: Callable[[], bool] = lambda: False,
    stragglers: Stragglers[Item, Result] | None = None,
) -> Iterator[tuple[Item, Result | MultiAllError]]:
    """Yield each item with its result or its error, in the order in which they end.

    Once `stop` returns true, or the consumer stops, no further item begins; items in progress are waited for. An
    exception other than MultiAllError is a defect of ours, and is raised here once the others have ended. `stragglers`:
    items that take much longer than the others are given up as Unreachable (slow).
    """
    if len(items) == 1:
        return _here(items[0], work, stop)
    return _Fan(items, work, stop, stragglers).results(min(parallel, len(items)))


def _here(
    item: Item, work: Callable[[Item], Result], stop: Callable[[], bool]
) -> Iterator[tuple[Item, Result | MultiAllError]]:
    """Work on a single item in this thread: another thread would only be waited for."""
    if stop():
        return
    try:
        result: Result | MultiAllError = work(item)
    except MultiAllError as fault:
        result = fault
    yield item, result


class _Fan(Generic[Item, Result]):
    """Fan-out over items by place. A place is `running` from its begin until it ends or is given up."""

    def __init__(
        self,
        items: Sequence[Item],
        work: Callable[[Item], Result],
        stop: Callable[[], bool],
        stragglers: Stragglers[Item, Result] | None,
    ) -> None:
        self._items = items
        self._work = work
        self._stop = stop
        self._stragglers = stragglers
        self._todo = deque(range(len(items)))
        self._done: SimpleQueue[tuple[int, Result | BaseException] | None] = SimpleQueue()
        self._left = threading.Event()
        self._lock = threading.Lock()
        self._running: dict[int, tuple[float, threading.Thread]] = {}
        self._took: list[float] = []
        self._workers = 0
        self._threads: list[threading.Thread] = []

    def results(self, parallel: int) -> Iterator[tuple[Item, Result | MultiAllError]]:
        for _ in range(parallel):
            self._start()
        try:
            yield from self._as_they_end()
        except KeyboardInterrupt:
            raise  # at once: waits for no thread
        except BaseException:
            self._left.set()
            for thread in self._threads:
                thread.join()  # each of their waits has a limit; their resources must not be closed under them
            raise

    def _start(self) -> None:
        self._workers += 1
        thread = threading.Thread(target=self._worker, name=f"member {len(self._threads)}", daemon=True)
        self._threads.append(thread)
        thread.start()

    def _worker(self) -> None:
        while not (self._left.is_set() or self._stop()):
            with self._lock:
                if not self._todo:
                    break
                place = self._todo.popleft()
                self._running[place] = time.monotonic(), threading.current_thread()
            try:
                result: Result | BaseException = self._work(self._items[place])
            except BaseException as fault:  # noqa: BLE001  (raised or handed on below, never lost)
                result = fault
            if not self._end(place, result):
                return  # given up meanwhile: another worker has taken our turn
        self._done.put(None)

    def _end(self, place: int, result: Result | BaseException) -> bool:
        """Hand the result on; return False if the place was given up."""
        with self._lock:
            begun = self._running.pop(place, None)
            if begun is not None:
                self._took.append(time.monotonic() - begun[0])
                self._done.put((place, result))
                return True
        if self._stragglers is not None and not isinstance(result, BaseException):
            self._stragglers.discard(result)
        return False

    def _as_they_end(self) -> Iterator[tuple[Item, Result | MultiAllError]]:
        while self._workers:
            try:
                ended = self._done.get(timeout=self._wait())
            except Empty:
                for place, fault in self._given_up():
                    yield self._items[place], fault
                continue
            if ended is None:
                self._workers -= 1
                continue
            place, result = ended
            if isinstance(result, BaseException) and not isinstance(result, MultiAllError):
                raise result
            yield self._items[place], result

    def _wait(self) -> float | None:
        """Return the seconds until the next straggler is given up; None: never."""
        if self._stragglers is None:
            return None
        with self._lock:
            limit = allowance(self._took, len(self._items), self._stragglers.silence)
            if limit is None or not self._running:
                return None
            first = min(began for began, _ in self._running.values())
            return max(0.0, first + limit - time.monotonic())

    def _given_up(self) -> list[tuple[int, Unreachable]]:
        """Give up the items over the limit.

        Their threads end by themselves; new threads take over the remaining items.
        """
        assert self._stragglers is not None  # noqa: S101  (only a fan-out with stragglers waits with a limit)
        with self._lock:
            limit = allowance(self._took, len(self._items), self._stragglers.silence)
            over = time.monotonic() - (limit or 0.0)
            late = [place for place, (began, _) in self._running.items() if limit and began <= over]
            longest = max(self._took, default=0.0)
            for place in late:
                self._threads.remove(self._running.pop(place)[1])
        for _ in late:
            self._workers -= 1
            self._start()
        return [(place, self._too_slow(self._items[place], limit or 0.0, longest)) for place in late]

    def _too_slow(self, item: Item, limit: float, longest: float) -> Unreachable:
        assert self._stragglers is not None  # noqa: S101  (as above)
        return Unreachable(
            self._stragglers.name(item),
            f"it had not answered after {limit:.0f} s; the others took {longest:.1f} s at most",
            "look at its load and its disks, or give it longer with --timeout SECONDS",
            "slow",
        )
