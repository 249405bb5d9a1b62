"""The most memory that a process and its descendants took together, looked at often."""

import threading
import time
from pathlib import Path

from fhirstack.planes.local import processes

EVERY_SECONDS = 0.25


class Watch:
    """Watches a process tree while it is entered; ``peak`` and ``parts`` are bytes of PSS."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.peak = 0
        self.parts: dict[str, int] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._look)

    def __enter__(self) -> "Watch":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._stop.is_set():
            sizes = {pid: processes.resident_bytes(pid)[1] for pid in _tree(self.pid)}
            total = sum(sizes.values())
            self.peak = max(self.peak, total)
            for pid, size in sizes.items():
                name = _name(pid)
                self.parts[name] = max(self.parts.get(name, 0), size)
            time.sleep(EVERY_SECONDS)


def _tree(root: int) -> list[int]:
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").glob("[0-9]*"):
        children.setdefault(processes.parent(int(entry.name)), []).append(int(entry.name))
    found, left = [], [root]
    while left:
        pid = left.pop()
        found.append(pid)
        left += children.get(pid, [])
    return found


def _name(pid: int) -> str:
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return "gone"
    module = words[words.index(b"-m") + 1] if b"-m" in words else words[0]
    return module.decode(errors="replace")
