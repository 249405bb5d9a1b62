"""Comparing a size that was found with what the page asks for and what the site declares."""

from fhirstack.page.results import Finding, failed, ok
from fhirstack.page.sizes import enough

_UNITS = ((10**12, "TB"), (10**9, "GB"), (10**6, "MB"))


def show(size: int) -> str:
    """Return bytes as people read them, with one decimal at most: ``8.4 GB``."""
    for unit, name in _UNITS:
        if size >= unit:
            return f"{size / unit:.1f}".removesuffix(".0") + f" {name}"
    return f"{size} bytes"


def compare(found: int, page: int, declared: int | None, remedy: str) -> Finding:
    """Judge a size in bytes by the page and by the site: the larger one is needed."""
    needed = max(page, declared or 0)
    text = f"{show(found)} found; {wanted(show(page), show(declared) if declared else None)}"
    return ok(text) if enough(found, needed) else failed(text, remedy.format(show(needed)))


def wanted(page: str, declared: str | None) -> str:
    """Return what the page asks for and what the site declares."""
    if declared == page:
        return f"the page and the site say {page}"
    return f"the page asks for {page}, the site declares {declared or 'none'}"
