"""Finding the resources of a Bundle that a JSON decoder refuses as a whole.

One resource that nests too deeply, or is not valid, must not keep the others from being read. This
splits the text at the marks of JSON alone, without recursion, and decodes nothing.
"""

import re
from collections.abc import Iterator

from .errors import MalformedError

_MARK = re.compile(rb'"(?:[^"\\]|\\.)*"|[\[\]{},]', re.DOTALL)
_OPEN, _CLOSE, _COMMA = b"[{", b"]}", b","


def elements(text: bytes, start: int) -> Iterator[tuple[int, int]]:
    """Bounds of the elements of the array or object that opens at `start`.

    Of an object, an element is `"name": value`. Raise MalformedError if it does not end.
    """
    depth, begin = 0, start + 1
    for mark in _MARK.finditer(text, start):
        sign = mark.group()
        if sign in _OPEN:
            depth += 1
        elif sign in _CLOSE:
            depth -= 1
            if depth == 0:
                if text[begin : mark.start()].strip():
                    yield begin, mark.start()
                return
        elif sign == _COMMA and depth == 1:
            yield begin, mark.start()
            begin = mark.end()
    raise MalformedError("the text ends within an array or object")


def member(text: bytes, start: int, name: bytes) -> tuple[int, int] | None:
    """Bounds of the value of the last member `name` of the object that opens at `start`."""
    found = None
    for begin, end in elements(text, start):
        key = _MARK.match(text, _skip(text, begin))
        if key and key.group() == b'"' + name + b'"':
            found = _skip(text, text.index(b":", key.end()) + 1), end
    return found


def _skip(text: bytes, at: int) -> int:
    while at < len(text) and text[at] in b" \t\r\n":
        at += 1
    return at


def resources(bundle: bytes) -> Iterator[bytes]:
    """Return the text of each resource in a Bundle, in order. Raise MalformedError if it is cut."""
    start = _skip(bundle, 0)
    entries = member(bundle, start, b"entry")
    if entries is None:
        return
    for begin, _ in elements(bundle, entries[0]):
        found = member(bundle, _skip(bundle, begin), b"resource")
        if found:
            yield bundle[found[0] : found[1]].strip()


def outline(bundle: bytes) -> bytes:
    """Return the Bundle without its entries: its type and its links."""
    parts = [
        bundle[begin:end]
        for begin, end in elements(bundle, _skip(bundle, 0))
        if not bundle[begin:end].lstrip().startswith(b'"entry"')
    ]
    return b"{" + b",".join(parts) + b"}"


def text_member(resource: bytes, name: bytes) -> str | None:
    """Return a member of the resource that is a plain text, such as its id; None if it has none."""
    try:
        found = member(resource, _skip(resource, 0), name)
    except (MalformedError, ValueError):
        return None
    value = resource[found[0] : found[1]].strip() if found else b""
    return value[1:-1].decode("utf-8", "replace") if value[:1] == b'"' else None
