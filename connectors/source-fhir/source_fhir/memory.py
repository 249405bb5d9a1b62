"""How glibc hands out memory, which decides what a process of several threads holds."""

import ctypes
import os

# Of glibc's malloc.h.
_M_MMAP_THRESHOLD = -3
_M_ARENA_MAX = -8
_PAGE_OF_A_BUNDLE = 256 * 1024


def give_back() -> None:
    """Let pages of a search go back to the system as soon as they are no longer needed.

    Otherwise each thread keeps an arena of its own with room for the largest page it had. Settings
    of the environment (`MALLOC_ARENA_MAX`) win; other C libraries than glibc are left alone.
    """
    if "MALLOC_ARENA_MAX" in os.environ:
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt:
        mallopt(_M_ARENA_MAX, 1)
        mallopt(_M_MMAP_THRESHOLD, _PAGE_OF_A_BUNDLE)
