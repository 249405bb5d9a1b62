"""Where links lead, and URLs as they may be shown."""

from urllib.parse import SplitResult, parse_qsl, urljoin, urlsplit, urlunsplit

from .errors import LinkError

# Values that hold neither a secret nor anything about a person.
_SHOWN = frozenset(
    (
        "_count",
        "_sort",
        "_lastUpdated",
        "_since",
        "_elements",
        "_total",
        "_pretty",
        "_offset",
        "_getpagesoffset",
        "page",
    )
)
_PORTS = {"http": 80, "https": 443}


def shown(url: str) -> str:
    """Return the URL without user, fragment and those query values that might be secret."""
    parts = urlsplit(url)
    query = "&".join(
        f"{name}={value if name in _SHOWN else '…'}"
        for name, value in parse_qsl(parts.query, keep_blank_values=True)
    )
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, host, parts.path, query, ""))


def _origin(parts: SplitResult) -> tuple[str, str, int | None]:
    return parts.scheme, parts.hostname or "", parts.port or _PORTS.get(parts.scheme)


def _below(url: str, base: str) -> bool:
    there, here = urlsplit(url), urlsplit(base)
    inside = there.path == here.path or there.path.startswith(here.path.rstrip("/") + "/")
    return _origin(there) == _origin(here) and inside and ".." not in there.path.split("/")


def server_base(self_link: str | None, resource_path: str) -> str | None:
    """Return the base URL by which the server calls itself, from a Bundle's `self` link.

    `resource_path` is what was asked below the base, such as `Patient` or `Patient/_history`.
    """
    if not self_link:
        return None
    parts = urlsplit(self_link)
    ending = "/" + resource_path
    if not parts.hostname or not parts.path.endswith(ending):
        return None
    return urlunsplit((parts.scheme, parts.netloc, parts.path.removesuffix(ending), "", ""))


def follow(link: str, base: str, own_name: str | None) -> str:
    """Return the URL to ask for the `link` of a Bundle. It is always below `base`.

    A server behind a proxy may call itself otherwise (`own_name`): such a link is led back to
    `base`. Raise LinkError for any other place, so that no token is sent there.
    """
    url = urljoin(base + "/", link)
    if _below(url, base):
        return url
    if own_name and _below(url, own_name):
        parts, name = urlsplit(url), urlsplit(own_name)
        return f"{base}{parts.path[len(name.path) :]}?{parts.query}"
    raise LinkError(
        f"the server's next page is at {shown(url)}, which is not below the configured base_url "
        f"{base}: the token is not sent there. Set the server's own address to {base}"
    )
