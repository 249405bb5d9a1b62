"""What dpkg says of files: which ones its packages brought, by the lists that it keeps."""

import glob
import os

from fhirstack.planes.hosts.agent.base import at, entries, read

_INFO = "/var/lib/dpkg/info"
_MERGED = ("/bin/", "/sbin/", "/lib/", "/lib64/")


def unowned(paths: "list[str]") -> "list[str]":
    """Return those files that are of no package. Its lists are read only where there are some."""
    left = {spelling: path for path in paths for spelling in _spellings(path)}
    strangers = set(paths)
    if not strangers:
        return []
    for name in glob.glob(glob.escape(at(_INFO)) + "/*.list"):
        with open(name, encoding="utf-8", errors="surrogateescape") as stream:
            strangers -= {left[line] for line in stream.read().splitlines() if line in left}
        if not strangers:
            break
    return sorted(strangers)


def _spellings(path: str) -> "tuple[str, ...]":
    """Return a path as packages may list it: as it is, and from before /bin went to /usr/bin."""
    if path.startswith("/usr/") and path[4:].startswith(_MERGED):
        return path, path[4:]
    return (path,)


def owner_list(package: str) -> str:
    """Return the path of a package's list of files; it was written as the package was unpacked."""
    return _info(package, "list")


def digests(package: str) -> "dict[str, str]":
    """Return the MD5 digests of a package's files, by path. Empty where it is not there."""
    path = _info(package, "md5sums")
    lines = (line.split(None, 1) for line in (read(path) or "").splitlines()) if path else ()
    return {"/" + line[1]: line[0] for line in lines if len(line) == 2}


def _info(package: str, ending: str) -> str:
    for name in (package, f"{package}:amd64", f"{package}:arm64"):
        path = f"{_INFO}/{name}.{ending}"
        if os.path.exists(at(path)):
            return path
    return ""


def packages() -> "list[str]":
    """Return the names of the packages whose files have digests."""
    return [name[: -len(".md5sums")] for name in entries(_INFO) if name.endswith(".md5sums")]
