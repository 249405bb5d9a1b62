"""The store of an environment's secrets, authority and certificates, beside the site file.

A look changes nothing: what is missing, ends, or no longer fits is made in memory, as a draft, and
only what somebody asks for. ``keep`` writes the draft: of all commands `apply` alone calls it. What
is replaced stays, in ``replaced``.
"""

import datetime
import fcntl
import hashlib
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from fhirstack.bundle.programs import disk_error
from fhirstack.certificates import Pair, parse
from fhirstack.errors import CheckFailedError
from fhirstack.model.site import Environment
from fhirstack.planes.hosts import authority
from fhirstack.planes.hosts.desired.inputs import Certificate
from fhirstack.planes.local import secrets
from fhirstack.planes.local.account import Account, make_directory, write_file
from fhirstack.planes.plane import Action, Change
from fhirstack.secret import Secret

REPLACED = "replaced"
T = TypeVar("T")


@dataclass(frozen=True)
class Draft:
    """A file of the store that is yet to be written."""

    address: str
    path: Path
    content: Secret
    before: str | None = field(default=None, repr=False)
    """What is there now, which goes into ``replaced``; None where nothing is."""
    reason: str = ""
    replaces: bool = False
    """Whether what is known by the old one refuses the new one: it needs leave."""

    @property
    def change(self) -> Change:
        """The draft as a plan shows it."""
        action = Action.CREATE if self.before is None else Action.UPDATE
        return Change("site", self.address, action, reason=self.reason, disrupts=self.replaces)


class Asked(Mapping[str, T]):
    """A mapping that looks a value up when it is asked for, and once."""

    def __init__(self, names: tuple[str, ...], look_up: Callable[[str], T]) -> None:
        self._names = names
        self._look_up = look_up
        self._known: dict[str, T] = {}

    def __getitem__(self, name: str) -> T:
        if name not in self._names:
            raise KeyError(name)
        if name not in self._known:
            self._known[name] = self._look_up(name)
        return self._known[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


class Store:
    """What is in the store, and the drafts of what is not."""

    def __init__(self, directory: Path, environment: Environment, now: datetime.datetime) -> None:
        self.directory = directory
        self.environment = environment
        self.now = now
        self.drafts: dict[str, Draft] = {}
        self.issued: set[str] = set()
        """The certificates that were asked for, as PEM text: the authority's, and its own alone."""
        self._authority: Pair | None = None
        self._needs = authority.wanted(environment)

    @property
    def purposes(self) -> tuple[str, ...]:
        """The purposes that have a certificate of the environment's own authority."""
        return tuple(self._needs)

    @property
    def is_new(self) -> bool:
        """Whether nothing was ever made here for the environment's hosts."""
        return not (self.directory / "tls" / authority.NAME).exists()

    @property
    def has_replaced(self) -> bool:
        """Whether an earlier authority is kept."""
        return any((self.directory / REPLACED).glob(f"{Path(authority.NAME).stem}-*"))

    @property
    def authority_address(self) -> str:
        """The authority's name in plans."""
        return f"site/authority:{self.environment.name}"

    def secret(self, name: str) -> Secret:
        """Return a secret; a new one is drafted. Raises UnreachableError for one of no use."""
        path = self.directory / name
        if path.exists():
            return secrets.read(self.directory, (name,))[name]
        value = secrets.new()
        self._draft(f"site/secret:{name}", path, value.reveal())
        return value

    def authority(self) -> Pair:
        """Return the authority. One that is not there or cannot go on is drafted.

        Raises UnreachableError for a file that is none.
        """
        if self._authority is None:
            path = self.directory / "tls" / authority.NAME
            text = authority.read(path)
            pair = None if text is None else parse(text.encode())
            reason = "" if text is None else authority.unfit(pair, self.environment, self.now)
            if pair is None or reason:
                pair = authority.new(self.environment, self.now)
                content = pair.pem().decode()
                self._draft(self.authority_address, path, content, text, reason, replaces=True)
            self._authority = pair
        return self._authority

    def public(self) -> str:
        """Return the authority's certificate, for clients."""
        text = self.authority().public.decode()
        self.issued.add(text)
        return text

    def certificate(self, purpose: str) -> Certificate:
        """Return a purpose's certificate, drafted where none is there that serves.

        Raises UnreachableError for a file that is none.
        """
        path = self.directory / "tls" / f"{purpose}.pem"
        need, signer = self._needs[purpose], self.authority()
        text = authority.read(path)
        reason = ""
        if text is not None:
            reason = authority.stale(text, need, signer, self.environment, self.now)
        if text is None or reason:
            new = authority.signed(signer, need, self.now)
            self._draft(f"site/certificate:{purpose}", path, new, text, reason)
            text = new
        found = authority.as_certificate(purpose, text)
        self.issued.add(found.chain)
        return found

    def _draft(
        self,
        address: str,
        path: Path,
        content: str,
        before: str | None = None,
        reason: str = "",
        *,
        replaces: bool = False,
    ) -> None:
        self.drafts[address] = Draft(
            address, path, Secret(content), before, reason, replaces and before is not None
        )

    def due(self) -> tuple[str, ...]:
        """Return what of the servers' own certificates ends, or no longer fits, and why."""
        for purpose in authority.DATABASE_PURPOSES:
            self.certificate(purpose)
        held = (draft for draft in self.drafts.values() if draft.before is not None)
        return tuple(f"{draft.address.removeprefix('site/')}: {draft.reason}" for draft in held)

    def keep(self, owner: Account) -> None:
        """Write what was drafted; what it replaces is kept in ``replaced``.

        Raises CheckFailedError, and writes nothing, where the store is another than the one that
        was looked at; UnreachableError for what cannot be written.
        """
        if not self.drafts:
            return
        tls = self.directory / "tls"
        for place in (self.directory.parent, self.directory, tls, tls / "edge"):
            make_directory(place, owner)
        with _alone(self.directory):
            for draft in self.drafts.values():
                if _text(draft.path) != draft.before:
                    raise CheckFailedError(
                        "changed since it was looked at; nothing was done",
                        where=str(draft.path),
                        remedy="another apply may be at work: look again",
                    )
            for draft in self.drafts.values():
                if draft.before is not None:
                    self._put_aside(draft, owner)
                write_file(draft.path, draft.content.reveal().encode(), owner)

    def _put_aside(self, draft: Draft, owner: Account) -> None:
        content = (draft.before or "").encode()
        place = self.directory / REPLACED
        make_directory(place, owner)
        name = f"{draft.path.stem}-{hashlib.sha256(content).hexdigest()[:12]}{draft.path.suffix}"
        write_file(place / name, content, owner)


def _text(path: Path) -> str | None:
    try:
        return path.read_text(encoding="ascii", errors="replace")
    except FileNotFoundError:
        return None


@contextmanager
def _alone(directory: Path) -> Iterator[None]:
    """Hold the store, so that of two that write the second sees what the first wrote."""
    try:
        handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise disk_error(error, directory) from error
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
