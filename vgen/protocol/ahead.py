"""Reading while something else computes."""

import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

_Item = TypeVar("_Item")
_Read = TypeVar("_Read")


def read_ahead(read: Callable[[_Item], _Read], items: Sequence[_Item]) -> Iterator[_Read]:
    """`read` of every item in order, two ahead of the consumer, in a thread."""
    waiting: queue.Queue[tuple[_Read | None, BaseException | None]] = queue.Queue(maxsize=1)
    stopped = threading.Event()

    def work() -> None:
        for item in items:
            result: tuple[_Read | None, BaseException | None]
            try:
                result = read(item), None
            except BaseException as error:
                result = None, error
            while not stopped.is_set():
                try:
                    waiting.put(result, timeout=0.2)
                    break
                except queue.Full:
                    continue
            if stopped.is_set() or result[1] is not None:
                return

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        for _ in items:
            value, error = waiting.get()
            if error is not None:
                raise error
            yield value  # type: ignore[misc]
    finally:
        stopped.set()
        thread.join()
