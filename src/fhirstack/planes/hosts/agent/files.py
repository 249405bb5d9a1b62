"""Files, lines in a file of others, and directories."""

import contextlib
import fnmatch
import grp
import hashlib
import os
import pwd
import stat
from typing import Any

from fhirstack.planes.hosts.agent.base import (
    AgentError,
    Change,
    Resource,
    at,
    oddity,
    read,
    run,
    write,
)

_MOST_LINES = 40
"""Of a difference that is shown: a person reads no more."""


def owner_ids(owner: str, group: str) -> "tuple[int, int]":
    """Return uid and gid. Raises AgentError for a name that the host does not know."""
    try:
        return pwd.getpwnam(owner).pw_uid, grp.getgrnam(group).gr_gid
    except KeyError as error:
        raise AgentError(f"no account or group {error.args[0].split(': ')[-1]}") from None


def attributes(path: str) -> "dict[str, str] | None":
    """Return owner, group and mode of what is at a path; None where nothing is."""
    try:
        found = os.lstat(at(path))
    except (FileNotFoundError, NotADirectoryError):
        return None
    return {
        "owner": _name(pwd.getpwuid, found.st_uid),
        "group": _name(grp.getgrgid, found.st_gid),
        "mode": f"{stat.S_IMODE(found.st_mode):04o}",
    }


def _name(look_up: Any, number: int) -> str:
    try:
        return str(look_up(number)[0])
    except KeyError:
        return str(number)


def difference(before: str, after: str) -> str:
    """Return a unified difference of two texts, without its head, of bounded length."""
    import difflib  # noqa: PLC0415 - most calls show no difference, and it is slow to import

    lines = list(difflib.unified_diff(before.splitlines(), after.splitlines(), lineterm="", n=1))[
        2:
    ]
    if len(lines) > _MOST_LINES:
        lines[_MOST_LINES:] = [f"… {len(lines) - _MOST_LINES} more lines"]
    text = "\n".join(lines)
    return text.encode("utf-8", "backslashreplace").decode()


def fingerprint(text: str) -> str:
    """Return a short digest of a text, by which two of them are told apart."""
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:12]


def differing(found: "dict[str, str]", spec: "dict[str, Any]") -> "tuple[Any, Any]":
    """Return those of owner, group and mode that differ: as they are, and as they should be."""
    names = [name for name in ("owner", "group", "mode") if found[name] != spec[name]]
    return {n: found[n] for n in names}, {n: spec[n] for n in names}


class File(Resource):
    """A regular file with content, owner and mode; or its absence."""

    kind = "file"

    def content(self) -> "str | None":
        """Return what the file is to hold: what another program wrote, where ours was the first."""
        path = self.spec["path"]
        if self.spec["initial"] and os.path.isfile(at(path)) and not os.path.islink(at(path)):
            return read(path)
        content: "str | None" = self.spec["content"]
        return content

    def plan(self) -> "list[Change]":
        spec, path = self.spec, self.spec["path"]
        found = attributes(path)
        wanted = self.content()
        if wanted is None:
            return [self.change("delete", reason="it should not be there")] if found else []
        if found is None:
            return [self.change("create", diff="" if spec["secret"] else difference("", wanted))]
        there = os.lstat(at(path))
        if stat.S_ISLNK(there.st_mode):
            return [self.change("update", reason="it is a link")]
        if odd := oddity(there.st_mode, there.st_size):
            return [self.change("update", reason=odd)]
        before, after = differing(found, spec)
        text = read(path) or ""
        if text == wanted:
            return [self.change("update", before=before, after=after)] if before else []
        return [
            self.change(
                "update",
                before=before | {"content": fingerprint(text)},
                after=after | {"content": fingerprint(wanted)},
                reason="the content differs",
                diff="" if spec["secret"] else difference(text, wanted),
            )
        ]

    def apply(self, changes: "list[Change]") -> None:
        spec, path = self.spec, self.spec["path"]
        place = at(path)
        if spec["content"] is None:
            if os.path.isdir(place) and not os.path.islink(place):
                raise AgentError("a directory is there: remove it by hand")
            os.unlink(place)
            return
        if os.path.isdir(place) and not os.path.islink(place):
            raise AgentError("a directory is there: remove it by hand")
        os.makedirs(os.path.dirname(place), mode=0o755, exist_ok=True)
        uid, gid = owner_ids(spec["owner"], spec["group"])
        write(path, self.content() or "", int(spec["mode"], 8), uid, gid, self.validate)

    def clear(self) -> None:
        """Remove a pipe, a socket or a device: a script that reads it waits for ever."""
        place = at(self.spec["path"])
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            mode = os.lstat(place).st_mode
            if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode) or stat.S_ISLNK(mode)):
                os.unlink(place)

    def validate(self, copy: str) -> None:
        """Run the file's own checker on the new copy, where it has one."""
        command = [word.replace("{}", copy) for word in self.spec["validate"]]
        if command:
            try:
                run(command, timeout=60)
            except AgentError as error:
                text = str(error).replace(copy, self.spec["path"])
                raise AgentError(
                    f"the new content is not valid, nothing was changed: {text}"
                ) from None

    def guarded_paths(self) -> "list[str]":
        return [self.spec["path"]]


class Link(Resource):
    """A symbolic link. It is the target's name that counts, not whether something is there."""

    kind = "link"

    def plan(self) -> "list[Change]":
        place, target = at(self.spec["path"]), self.spec["target"]
        if not os.path.lexists(place):
            return [self.change("create", after=target)]
        found = os.readlink(place) if os.path.islink(place) else "no link"
        return [] if found == target else [self.change("update", before=found, after=target)]

    def apply(self, changes: "list[Change]") -> None:
        place = at(self.spec["path"])
        if os.path.isdir(place) and not os.path.islink(place):
            raise AgentError("a directory is there: remove it by hand")
        part = f"{place}.{os.getpid()}.fhirstack"
        os.symlink(self.spec["target"], part)
        os.replace(part, place)


class Block(Resource):
    """Lines between two marks, in a file that others write to as well."""

    kind = "block"
    begin = "# BEGIN fhirstack"
    end = "# END fhirstack"

    def plan(self) -> "list[Change]":
        text = read(self.spec["path"])
        wanted = self.merged(text or "")
        if text == wanted:
            return []
        return [self.change("update" if text else "create", diff=difference(text or "", wanted))]

    def merged(self, text: str) -> str:
        """Return the file's text with our lines in place of whatever stood between the marks."""
        lines = text.splitlines()
        block = [self.begin, *self.spec["content"].splitlines(), self.end]
        if self.begin in lines and self.end in lines[lines.index(self.begin) :]:
            first = lines.index(self.begin)
            last = lines.index(self.end, first)
        else:
            # A mark without its other: what it began is not known, so only the mark goes.
            lines = [line for line in lines if line not in (self.begin, self.end)]
            first, last = len(lines), len(lines)
        rest = [line for line in lines[last + 1 :] if line not in (self.begin, self.end)]
        return "\n".join([*lines[:first], *block, *rest, ""])

    def apply(self, changes: "list[Change]") -> None:
        path = self.spec["path"]
        found = os.stat(at(path)) if os.path.exists(at(path)) else None
        mode = stat.S_IMODE(found.st_mode) if found else 0o644
        uid, gid = (found.st_uid, found.st_gid) if found else (0, 0)
        write(path, self.merged(read(path) or ""), mode, uid, gid)

    def guarded_paths(self) -> "list[str]":
        return [self.spec["path"]]


class Directory(Resource):
    """A directory; where it is exclusive, files in it that nobody declared go."""

    kind = "directory"

    def plan(self) -> "list[Change]":
        spec, path = self.spec, self.spec["path"]
        found = attributes(path)
        if found is None:
            return [self.change("create")]
        if not os.path.isdir(at(path)):
            return [self.change("update", reason="it is not a directory")]
        changes = []
        before, after = differing(found, spec)
        if before:
            changes.append(self.change("update", before=before, after=after))
        for name in self.strangers():
            changes.append(
                Change(
                    f"file:{path}/{name}", "delete", reason="nothing declares it, and it is read"
                )
            )
        return changes

    def guarded_paths(self) -> "list[str]":
        return [os.path.join(self.spec["path"], name) for name in self.strangers()]

    def strangers(self) -> "list[str]":
        """Return the names of files that an exclusive directory should not have."""
        pattern, keep = self.spec["exclusive"], self.spec["keep"]
        if not pattern or not os.path.isdir(at(self.spec["path"])):
            return []
        return sorted(
            name
            for name in os.listdir(at(self.spec["path"]))
            if fnmatch.fnmatch(name, pattern) and name not in keep
        )

    def apply(self, changes: "list[Change]") -> None:
        spec = self.spec
        place = at(spec["path"])
        if os.path.lexists(place) and not os.path.isdir(place):
            raise AgentError("a file is there: remove it by hand")
        os.makedirs(place, exist_ok=True)
        uid, gid = owner_ids(spec["owner"], spec["group"])
        os.chown(place, uid, gid)
        os.chmod(place, int(spec["mode"], 8))
        for name in self.strangers():
            self.remove(os.path.join(spec["path"], name))

    def remove(self, path: str) -> None:
        """Move a file out of the way."""
        put_away(path)


def put_away(path: str) -> None:
    """Move a file out of the way: it is kept in the agent's directory, for who wrote it."""
    import shutil  # noqa: PLC0415 - rare, and slow to import

    kept = at(os.path.join("/var/lib/fhirstack/removed", path.strip("/").replace("/", "_")))
    os.makedirs(os.path.dirname(kept), mode=0o700, exist_ok=True)
    if os.path.isdir(kept) and not os.path.islink(kept):
        shutil.rmtree(kept)
    elif os.path.lexists(kept):
        os.unlink(kept)
    shutil.move(at(path), kept)
