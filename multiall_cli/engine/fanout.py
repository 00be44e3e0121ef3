"""One bounded fan-out over threads: results as they come, one slow item never delays the others."""

import threading
from collections.abc import Callable, Iterator, Sequence
from queue import Empty, SimpleQueue
from typing import TypeVar

from multiall_cli.domain.errors import MultiAllError

Item = TypeVar("Item")
Result = TypeVar("Result")


def fan_out(
    items: Sequence[Item],
    work: Callable[[Item], Result],
    parallel: int,
    stop: Callable[[], bool] = lambda: False,
) -> Iterator[tuple[Item, Result | MultiAllError]]:
    """Each item with its result, or with the error that ended it, in the order in which they end.

    Once `stop` says so, or nobody takes results any more, no further item is begun; those that were begun are waited
    for. What is not a MultiAllError is a fault of ours and is raised here, once the others have ended.
    """
    return _here(items[0], work, stop) if len(items) == 1 else _by_threads(items, work, parallel, stop)


def _here(
    item: Item, work: Callable[[Item], Result], stop: Callable[[], bool]
) -> Iterator[tuple[Item, Result | MultiAllError]]:
    """A thread for one item would only be waited for."""
    if stop():
        return
    try:
        result: Result | MultiAllError = work(item)
    except MultiAllError as fault:
        result = fault
    yield item, result


def _by_threads(
    items: Sequence[Item], work: Callable[[Item], Result], parallel: int, stop: Callable[[], bool]
) -> Iterator[tuple[Item, Result | MultiAllError]]:
    todo: SimpleQueue[Item] = SimpleQueue()
    for item in items:
        todo.put(item)
    done: SimpleQueue[tuple[Item, Result | BaseException] | None] = SimpleQueue()

    left = threading.Event()

    def worker() -> None:
        try:
            while not (left.is_set() or stop()):
                item = todo.get_nowait()
                try:
                    done.put((item, work(item)))
                except BaseException as fault:  # noqa: BLE001  (raised or handed on below, never lost)
                    done.put((item, fault))
        except Empty:
            return
        finally:
            done.put(None)

    threads = [
        threading.Thread(target=worker, name=f"member {number}", daemon=True)
        for number in range(min(parallel, len(items)))
    ]
    for thread in threads:
        thread.start()
    try:
        yield from _as_they_end(done, len(threads))
    except KeyboardInterrupt:
        raise  # at once: nobody is waited for
    except BaseException:
        left.set()
        for thread in threads:
            thread.join()  # each wait of theirs has a limit; what they work with is not taken away under them
        raise


def _as_they_end(
    done: "SimpleQueue[tuple[Item, Result | BaseException] | None]", workers: int
) -> Iterator[tuple[Item, Result | MultiAllError]]:
    while workers:
        ended = done.get()
        if ended is None:
            workers -= 1
            continue
        item, result = ended
        if isinstance(result, BaseException) and not isinstance(result, MultiAllError):
            raise result
        yield item, result
