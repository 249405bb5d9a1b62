"""Bundles as typed structures in which the resources stay undecoded text."""

from dataclasses import dataclass
from typing import TypeVar

import msgspec

from . import scan
from .errors import MalformedError, TooDeepError

_BOM = b"\xef\xbb\xbf"


class Link(msgspec.Struct):
    """A link of a Bundle, such as `self` or `next`."""

    relation: str = ""
    url: str = ""


class Meta(msgspec.Struct):
    """What of `meta` is of use here."""

    lastUpdated: str | None = None  # noqa: N815 - FHIR's name
    versionId: str | None = None  # noqa: N815 - FHIR's name


class Head(msgspec.Struct):
    """What of a resource is of use here."""

    resourceType: str | None = None  # noqa: N815 - FHIR's name
    id: str | None = None
    meta: Meta | None = None


class Entry(msgspec.Struct):
    """An entry of a search; its resource is a view on the page's text."""

    resource: msgspec.Raw = msgspec.Raw()


class Request(msgspec.Struct):
    """The request behind a version, in a history."""

    method: str | None = None
    url: str | None = None


class Response(msgspec.Struct):
    """The response behind a version, in a history."""

    lastModified: str | None = None  # noqa: N815 - FHIR's name


class HistoryEntry(msgspec.Struct):
    """An entry of a history."""

    fullUrl: str | None = None  # noqa: N815 - FHIR's name
    request: Request | None = None
    response: Response | None = None


class _Bundle(msgspec.Struct, kw_only=True):
    resourceType: str | None = None  # noqa: N815 - FHIR's name
    meta: Meta | None = None
    total: int | None = None
    link: list[Link] | None = None

    def url(self, relation: str) -> str | None:
        """Return the URL of the link with this relation."""
        return next((x.url for x in self.link or [] if x.relation == relation and x.url), None)


class SearchBundle(_Bundle, kw_only=True):
    """A page of a search."""

    entry: list[Entry | None] | None = None


class HistoryBundle(_Bundle, kw_only=True):
    """A page of a history."""

    entry: list[HistoryEntry | None] | None = None


@dataclass(frozen=True, slots=True)
class Rejected:
    """A resource that cannot be carried, and why. `id` may be unknown."""

    id: str | None
    reason: str


_search = msgspec.json.Decoder(SearchBundle)
_history = msgspec.json.Decoder(HistoryBundle)
_head = msgspec.json.Decoder(Head)


_B = TypeVar("_B", SearchBundle, HistoryBundle)


def _decode(decoder: "msgspec.json.Decoder[_B]", body: bytes) -> _B:
    try:
        bundle = decoder.decode(body)
    except RecursionError:
        raise TooDeepError("it nests too deeply") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise MalformedError(f"it is not a valid Bundle: {error}") from None
    if bundle.resourceType != "Bundle":
        raise MalformedError(f"it is not a Bundle but {bundle.resourceType or 'another JSON'}")
    return bundle


def search(body: bytes) -> SearchBundle:
    """Return a page of a search. Raise MalformedError."""
    return _decode(_search, body.removeprefix(_BOM))


def history(body: bytes) -> HistoryBundle:
    """Return a page of a history. Raise MalformedError."""
    return _decode(_history, body.removeprefix(_BOM))


def salvaged(body: bytes) -> SearchBundle:
    """Return a page of a search of which some resource is no JSON that can be decoded.

    The resources stay as they are; `head` then tells the good from the bad. Raise MalformedError
    if even the Bundle's outline cannot be made out, as when the text is cut.
    """
    body = body.removeprefix(_BOM)
    bundle = _decode(_search, scan.outline(body))
    bundle.entry = [Entry(resource=msgspec.Raw(text)) for text in scan.resources(body)]
    return bundle


def head(resource: msgspec.Raw) -> Head | Rejected:
    """Return the resource's head, or why the resource cannot be carried."""
    try:
        return _head.decode(resource)
    except RecursionError:
        reason = "it nests too deeply for JSON parsers"
    except msgspec.ValidationError as error:
        reason = f"its head is not valid: {error}"
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        reason = f"it is not valid JSON: {error}"
    return Rejected(scan.text_member(bytes(resource), b"id"), reason)


def is_utf8(text: bytes) -> bool:
    """Whether the text is valid UTF-8, which the decoder does not look at where it skips."""
    if text.isascii():
        return True
    try:
        str(text, "utf-8")
    except UnicodeDecodeError:
        return False
    return True
