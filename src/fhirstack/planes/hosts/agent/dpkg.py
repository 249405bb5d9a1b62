"""What dpkg says of files: which ones its packages brought, by the lists that it keeps."""

import glob
import os

from fhirstack.planes.hosts.agent.base import at, read

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
    for name in (package, f"{package}:amd64", f"{package}:arm64"):
        path = f"{_INFO}/{name}.list"
        if os.path.exists(at(path)):
            return path
    return ""


def digests(package: str) -> "dict[str, str]":
    """Return the MD5 digests of a package's files, by path. Empty where it is not there."""
    text = read(owner_list(package)[: -len("list")] + "md5sums") if owner_list(package) else None
    lines = (line.split(None, 1) for line in (text or "").splitlines())
    return {"/" + line[1]: line[0] for line in lines if len(line) == 2}
