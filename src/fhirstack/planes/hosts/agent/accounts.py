"""Groups, accounts, and who may log in at all."""

import os
import shutil
import time
from typing import Any

from fhirstack.planes.hosts.agent.base import AgentError, Change, Resource, at, read, run

_NO_SHELLS = ("nologin", "false")


class Account:
    """One line of /etc/passwd, with what /etc/shadow and /etc/group say of it.

    ``password``: the hash; ``!…`` or ``*`` where none can match, empty where none is asked for.
    ``expires``: the day since 1970, empty for never. ``groups``: supplementary ones, sorted.
    """

    def __init__(
        self,
        name: str,
        uid: int,
        gid: int,
        home: str,
        shell: str,
        password: str,
        expires: str,
        groups: "list[str]",
    ) -> None:
        self.name = name
        self.uid = uid
        self.gid = gid
        self.home = home
        self.shell = shell
        self.password = password
        self.expires = expires
        self.groups = groups

    @property
    def has_password(self) -> bool:
        """Whether some password lets it in."""
        return not self.password.startswith(("!", "*"))

    @property
    def has_shell(self) -> bool:
        """Whether a login gets a shell; without a name it is /bin/sh."""
        return os.path.basename(self.shell) not in _NO_SHELLS

    @property
    def has_expired(self) -> bool:
        """Whether no login of any kind is let in any more."""
        return self.expires.isdigit() and int(self.expires) <= time.time() // 86400

    @property
    def has_keys(self) -> bool:
        """Whether there is a key for SSH at its usual place."""
        names = (f"{self.home}/.ssh/authorized_keys{ending}" for ending in ("", "2"))
        return any((read(name) or "").strip() for name in names)


def rows(path: str, fields: int) -> "list[list[str]]":
    """Return the lines of a file of accounts, each as its fields."""
    lines = (line.split(":") for line in (read(path) or "").splitlines())
    return [line for line in lines if len(line) >= fields and not line[0].startswith(("#", "+"))]


def groups() -> "dict[str, list[str]]":
    """Return the members of each group."""
    return {row[0]: [m for m in row[3].split(",") if m] for row in rows("/etc/group", 4)}


def accounts() -> "dict[str, Account]":
    """Return the accounts of the host's own files, by name."""
    shadow = {row[0]: row for row in rows("/etc/shadow", 8)}
    gids = {row[0]: row[2] for row in rows("/etc/group", 4)}
    members = groups()
    found = {}
    for name, password, uid, gid, _, home, shell in (row[:7] for row in rows("/etc/passwd", 7)):
        secret = shadow.get(name, ["", "!", *[""] * 6])
        found[name] = Account(
            name=name,
            uid=int(uid),
            gid=int(gid),
            home=home,
            shell=shell,
            password=secret[1] if password == "x" else password,  # noqa: S105 - a mark
            expires=secret[7],
            groups=sorted(g for g, names in members.items() if name in names and gids[g] != gid),
        )
    return found


class Group(Resource):
    """A group, whoever is in it."""

    kind = "group"

    def plan(self) -> "list[Change]":
        return [] if self.spec["name"] in groups() else [self.change("create")]

    def apply(self, changes: "list[Change]") -> None:
        if self.plan():
            system = ["--system"] if self.spec["system"] else []
            run(["groupadd", *system, self.spec["name"]])


class User(Resource):
    """An account without a password, with exactly its supplementary groups."""

    kind = "user"

    @property
    def home(self) -> str:
        """Its directory."""
        return self.spec["home"] or f"/home/{self.spec['name']}"

    def differing(self, found: Account) -> "tuple[dict[str, Any], dict[str, Any]]":
        """Return those attributes that differ: as they are, and as they should be."""
        spec = self.spec
        lacks_home = not spec["system"] and not os.path.isdir(at(self.home))
        pairs = {
            "uid 0": (found.uid == 0, False),
            "shell": (found.shell, spec["shell"]),
            "home": (f"{found.home}, missing" if lacks_home else found.home, self.home),
            "groups": (found.groups, sorted(spec["groups"])),
            "password": ("usable" if found.has_password else "locked", "locked"),
            "expires": (found.expires, ""),
        }
        pairs = {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}
        return {n: p[0] for n, p in pairs.items()}, {n: p[1] for n, p in pairs.items()}

    def plan(self) -> "list[Change]":
        found = accounts().get(self.spec["name"])
        if found is None:
            return [self.change("create")]
        before, after = self.differing(found)
        return [self.change("update", before=before, after=after)] if before else []

    def apply(self, changes: "list[Change]") -> None:
        name = self.spec["name"]
        found = accounts().get(name)
        if found is None:
            self.create()
        elif found.uid == 0:
            raise AgentError(f"the account {name} has the uid 0: remove it by hand, it is root")
        else:
            self.update(found)

    def create(self) -> None:
        """Make the account. ``*`` is no password, and SSH takes a key for it."""
        spec = self.spec
        kind = ["--system", "--no-create-home"] if spec["system"] else ["--create-home"]
        group = ["--gid", spec["name"]] if spec["name"] in groups() else ["--user-group"]
        others = ["--groups", ",".join(spec["groups"])] if spec["groups"] else []
        place = ["--home-dir", self.home, "--shell", spec["shell"]]
        run(["useradd", *kind, *group, *others, *place, "--password", "*", spec["name"]])

    def update(self, found: Account) -> None:
        """Change what differs; its files stay where they are."""
        before, _ = self.differing(found)
        options = {
            "shell": ["--shell", self.spec["shell"]],
            "groups": ["--groups", ",".join(self.spec["groups"])],
            "password": ["--password", "*"],
            "expires": ["--expiredate", ""],
        }
        words = [word for name in before for word in options.get(name, [])]
        if found.home != self.home:
            words += ["--home", self.home]
        if words:
            run(["usermod", *words, found.name])
        if "home" in before and not self.spec["system"] and not os.path.isdir(at(self.home)):
            os.makedirs(at(self.home), mode=0o750)
            shutil.chown(at(self.home), found.uid, found.gid)


class Logins(Resource):
    """Nobody but the allowed accounts can log in.

    The accounts of a distribution's packages have no password and no key, whatever their shell:
    they are no difference.
    """

    kind = "logins"

    def plan(self) -> "list[Change]":
        changes = []
        people = uids_of_people()
        for account in accounts().values():
            if account.name == "root":
                reason = "root has a password; it is locked" if account.has_password else ""
            else:
                reason = self.reason(account, people)
            if reason:
                before = {"uid": account.uid, "shell": account.shell}
                changes.append(
                    Change(f"user:{account.name}", "update", before=before, reason=reason)
                )
        return changes

    def reason(self, account: Account, people: "tuple[int, int]") -> str:
        """Return why an account is locked; empty where it is not, or is locked already."""
        if not (account.has_password or account.has_shell) and account.has_expired:
            return ""
        if account.uid == 0:
            return "it is root by another name; it is locked"
        if account.name in self.spec["allowed"]:
            return ""
        if (
            people[0] <= account.uid <= people[1]
            or account.has_password
            or (account.has_shell and account.has_keys)
        ):
            return "nobody declares this account; it is locked"
        return ""

    def apply(self, changes: "list[Change]") -> None:
        closed = ["--expiredate", "1", "--shell", "/usr/sbin/nologin"]
        for change in self.plan():
            name = change.address.partition(":")[2]
            # Root only loses its password: what runs as root must go on.
            run(["usermod", "--lock", *([] if name == "root" else closed), name])

    def guarded_paths(self) -> "list[str]":
        return ["/etc/passwd", "/etc/shadow", "/etc/group", "/etc/gshadow"]


def uids_of_people() -> "tuple[int, int]":
    """Return the range of uids that /etc/login.defs gives to people."""
    words = [line.split() for line in (read("/etc/login.defs") or "").splitlines()]
    found = {line[0]: line[1] for line in words if len(line) > 1 and line[1].isdigit()}
    return int(found.get("UID_MIN", 1000)), int(found.get("UID_MAX", 60000))
