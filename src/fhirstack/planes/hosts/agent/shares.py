"""Using what an NFS server shares, as its clients do; and on the server, what came of it.

The client is the kernel's own, in a namespace of mounts that ends with the try; where the kernel
has none (as in containers), libnfs' programs, if they are installed.
"""

import os
import socket
import tempfile
import time
from typing import Any

from fhirstack.planes.hosts.agent.base import at, run

PORT = 2049
_REACH_SECONDS = 5
_LIMIT_SECONDS = 150
"""A closed port is told before: what takes so long has been let in, and waits for the server."""
_GRACE_SECONDS = 120
"""A server that started a moment ago lets nobody open a file, for 90 seconds mostly."""
_GRACE = "NFS4ERR_GRACE"
_REFUSALS = (
    *("access denied", "Permission denied", "Operation not permitted", "No such file"),
    *("NFS4ERR_NOENT", "NFS4ERR_ACCESS", "NFS4ERR_PERM", "NFS4ERR_WRONGSEC", "is not reached"),
)
"""What clients say where a server refuses. Any other failure tells nothing of who is let in."""
_REFUSED = 40
_OPTIONS = "vers=4.1,proto=tcp,sec=sys,soft,timeo=50,retrans=1"
# What was written is read through a second mount: the first one's cache knows it already.
_KERNEL = f"""
on() {{ timeout -k 2 20 mount -i -t nfs4 -o "$1" "$2" "$3" || exit {_REFUSED}; }}
as() {{ user=$1; shift; setpriv --reuid="$user" --regid="$user" --clear-groups -- "$@"; }}
on "$1" "$2" "$3"
as "$4" sh -c 'printf %s "$2" >"$1"' sh "$3/$5" "$6" || exit
umount "$3" && on "$1" "$2" "$3" && as "$4" cat "$3/$5"
"""
_NO_CLIENT = "unknown filesystem type"


def use(request: "dict[str, Any]") -> "dict[str, Any]":
    """Write and read a file as each of ``users``: ``server`` (an address), ``path``, ``token``.

    Answers ``tries``: for each user whether it was served, whether it was refused (neither: it
    failed), and what was said; or ``skipped``, why nothing could be tried.
    """
    try:
        socket.create_connection((request["server"], PORT), _REACH_SECONDS).close()
    except OSError as problem:
        said = f"port {PORT} is not reached: {problem.strerror or problem}"
        return {"tries": [_told(user, False, said) for user in request["users"]]}
    tries = []
    for user in request["users"]:
        name = name_of(request["token"], request["host"], user)
        for client in (_by_kernel, _by_libnfs):
            tried = client(request, user, name)
            if tried is not None:
                tries.append(tried)
                break
        else:
            return {
                "skipped": "there is no NFS client: the kernel has none, and nfs-cp is not"
                " installed (apt-get install libnfs-utils)"
            }
    return {"tries": tries}


def name_of(token: str, host: str, user: int) -> str:
    """Return the name of a file that is tried."""
    return f".fhirstack-{token}-{host}-{user}"


def _told(user: int, served: bool, said: str) -> "dict[str, Any]":
    refused = not served and any(words in said for words in _REFUSALS)
    return {"user": user, "served": served, "refused": refused, "said": said.strip()}


def _by_kernel(request: "dict[str, Any]", user: int, name: str) -> "dict[str, Any] | None":
    address = request["server"]
    host = f"[{address}]" if ":" in address else address
    # Everybody may pass the directory in which it is mounted.
    with tempfile.TemporaryDirectory(dir="/run") as place:
        os.chmod(place, 0o755)  # noqa: S103
        words = [f"addr={address},{_OPTIONS}", f"{host}:{request['path']}", place, str(user), name]
        command = ["unshare", "--mount", "--propagation", "private", "sh", "-c", _KERNEL, "sh"]
        done = run([*command, *words, request["token"]], check=False, timeout=_LIMIT_SECONDS)
    if done.returncode == _REFUSED and _NO_CLIENT in done.stderr:
        return None
    return _told(user, done.returncode == 0 and done.stdout == request["token"], done.stderr)


def _by_libnfs(request: "dict[str, Any]", user: int, name: str) -> "dict[str, Any] | None":
    where = f"nfs://{request['server']}{request['path']}/{name}?version=4&uid={user}&gid={user}"
    with tempfile.NamedTemporaryFile("w") as source:
        source.write(request["token"])
        source.flush()
        limit = time.monotonic() + _GRACE_SECONDS
        wrote = run(["nfs-cp", source.name, where], check=False, timeout=_LIMIT_SECONDS)
        while _GRACE in wrote.stderr and time.monotonic() < limit:
            time.sleep(2)
            wrote = run(["nfs-cp", source.name, where], check=False, timeout=_LIMIT_SECONDS)
    if wrote.returncode == 127:
        return None
    if wrote.returncode:
        return _told(user, False, wrote.stderr)
    back = run(["nfs-cat", where], check=False, timeout=_LIMIT_SECONDS)
    return _told(user, back.returncode == 0 and back.stdout == request["token"], back.stderr)


def take(request: "dict[str, Any]") -> "dict[str, Any]":
    """On the server: tell of each file with the ``token`` in ``path`` whose it is; remove it."""
    place, start = at(request["path"]), f".fhirstack-{request['token']}-"
    found = {}
    for entry in os.scandir(place) if os.path.isdir(place) else ():
        if entry.name.startswith(start):
            seen = entry.stat(follow_symlinks=False)
            found[entry.name] = [seen.st_uid, seen.st_gid]
            os.unlink(entry.path)
    return {"files": found}
