"""Work done in a thread while its result is not needed yet."""

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Ahead(Generic[T]):
    """Starts `work` at once. The thread does not keep the process alive."""

    def __init__(self, work: Callable[[], T]) -> None:
        self._value: list[T] = []
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, args=(work,), daemon=True)
        self._thread.start()

    def _run(self, work: Callable[[], T]) -> None:
        try:
            self._value.append(work())
        except BaseException as error:
            self._error = error

    def result(self) -> T:
        """Wait for the result, and give it once. Raise what `work` raised."""
        self._thread.join()
        if self._error:
            raise self._error
        return self._value.pop()
