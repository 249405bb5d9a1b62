"""Several streams read at a time; their messages written by one."""

import queue
import threading
from collections.abc import Callable, Iterator, Sequence

from airbyte_cdk.models import AirbyteMessage

Batch = list[AirbyteMessage]
Job = Callable[[], Iterator[Batch]]


def run(jobs: Sequence[Job], parallel: int) -> Iterator[AirbyteMessage]:
    """Yield the messages of all jobs; those of one job stay in order.

    A job that raises ends the run: jobs turn what may go wrong into messages themselves. One batch
    waits at most, so that memory does not grow when the reader of the messages is slow.
    """
    waiting = iter(jobs)
    taking, ended = threading.Lock(), threading.Event()
    batches: queue.Queue[Batch | BaseException | None] = queue.Queue(maxsize=1)

    def put(item: Batch | BaseException | None) -> bool:
        while not ended.is_set():
            try:
                batches.put(item, timeout=0.5)
            except queue.Full:
                continue
            return True
        return False

    def work() -> None:
        try:
            while True:
                with taking:
                    job = next(waiting, None)
                if job is None:
                    break
                for batch in job():
                    if not put(batch):
                        return
            put(None)
        except BaseException as error:
            put(error)

    count = max(1, min(parallel, len(jobs)))
    for _ in range(count):
        threading.Thread(target=work, daemon=True).start()
    try:
        while count:
            item = batches.get()
            if item is None:
                count -= 1
            elif isinstance(item, BaseException):
                raise item
            else:
                yield from item
    finally:
        ended.set()
