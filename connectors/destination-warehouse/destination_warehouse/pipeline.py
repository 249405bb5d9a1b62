"""Reading goes on while the batch before is being committed."""

import queue
import threading
from collections.abc import Iterable, Iterator

from .batch import Batch
from .batches import Batcher
from .lines import BIG, Item

BATCHES_IN_MEMORY = 2


class Pipeline:
    """Batches of the items that a thread reads; at most two are in memory.

    A batch that was taken is held until the next one is asked for, so the loop's body is the
    commit. An error of the reader is raised where the batches are taken.
    """

    def __init__(self, items: Iterable[Item], batcher: Batcher) -> None:
        self._items, self._batcher = items, batcher
        self._queue: queue.SimpleQueue[Batch | BaseException | None] = queue.SimpleQueue()
        self._free = threading.Semaphore(BATCHES_IN_MEMORY - 1)
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._read, name="reader", daemon=True)

    def __iter__(self) -> Iterator[Batch]:
        self._thread.start()
        try:
            while True:
                batch = self._queue.get()
                if batch is None:
                    return
                if isinstance(batch, BaseException):
                    raise batch
                yield batch
                del batch
                self._free.release()
        finally:
            self._stopped.set()
            self._free.release()

    def _read(self) -> None:
        try:
            for item in self._items:
                if item is BIG:
                    self._hand_over()
                    self._wait()
                elif self._batcher.take(item):
                    del item
                    self._hand_over()
                if self._stopped.is_set():
                    return
            self._hand_over()
            self._queue.put(None)
        except BaseException as error:
            self._queue.put(error)

    def _hand_over(self) -> None:
        batch = self._batcher.seal()
        if batch.empty:
            return
        self._free.acquire()
        self._queue.put(batch)

    def _wait(self) -> None:
        """Wait until nothing is in memory but what is being read."""
        self._free.acquire()
        self._free.release()
