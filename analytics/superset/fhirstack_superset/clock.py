"""How long each part took: printed, so that a slow set-up explains itself."""

import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager


class Clock:
    """Collects seconds by the part's name."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def __call__(self, part: str) -> Iterator[None]:
        """Measure one part."""
        begun = time.monotonic()
        try:
            yield
        finally:
            self.seconds[part] = round(time.monotonic() - begun, 2)


def peak_mib() -> int:
    """Return the most memory that this process held, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
