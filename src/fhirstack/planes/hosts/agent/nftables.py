"""One table of the firewall: in the kernel now, and loaded at boot."""

import os
import re
import shlex

from fhirstack.planes.hosts.agent.base import (
    STATE,
    AgentError,
    Change,
    Resource,
    at,
    read,
    run,
    write,
)
from fhirstack.planes.hosts.agent.files import difference, fingerprint

PATH = "/etc/nftables.conf"
_SET = re.compile(r"^\t(?:set|map) \S+ \{\n.*?^\t\}\n", re.DOTALL | re.MULTILINE)
_FILLED_BY_PACKETS = re.compile(r"^\t\tflags .*\b(?:dynamic|timeout)\b", re.MULTILINE)
_ELEMENTS = re.compile(r"^\t\telements = \{.*?\}\n", re.DOTALL | re.MULTILINE)


def replacing(table: str, ruleset: str) -> str:
    """Return commands that replace one table in one step, whether or not it is there.

    ``flush ruleset`` would also take the tables of Kubernetes.
    """
    return f"table inet {table} {{}}\ndelete table inet {table}\n{ruleset.strip()}\n"


def file_text(table: str, ruleset: str) -> str:
    """Return what /etc/nftables.conf is to say."""
    return f"#!/usr/sbin/nft -f\n# Written by fhirstack.\n{replacing(table, ruleset)}"


def lasting(listing: str) -> str:
    """Return a table as nft lists it, without what packets put into its sets."""

    def without_elements(match: "re.Match[str]") -> str:
        text = match[0]
        return _ELEMENTS.sub("", text) if _FILLED_BY_PACKETS.search(text) else text

    return _SET.sub(without_elements, listing)


class Nftables(Resource):
    """A table of the family inet. Tables of others are neither read nor touched."""

    kind = "nftables"

    def __init__(self, spec: "dict[str, object]") -> None:
        super().__init__(spec)
        self.table: str = self.spec["table"]
        self.text = file_text(self.table, self.spec["ruleset"])
        self.listing = ["nft", "--stateless", "list", "table", "inet", self.table]

    def plan(self) -> "list[Change]":
        live = self.live()
        file = read(PATH) or ""
        if live is None:
            return [self.change("create", diff=difference("", self.spec["ruleset"]))]
        wanted = live if live == self.remembered() else self.wanted()
        reasons = []
        if live != wanted:
            reasons.append("the kernel's rules differ")
        if file != self.text:
            reasons.append(f"{PATH} differs")
        if not reasons:
            return []
        diff = difference(live, wanted) or difference(file, self.text)
        return [self.change("update", reason="; ".join(reasons), diff=diff)]

    def live(self) -> "str | None":
        """Return the table as the kernel has it; None where it has none, or nft is missing."""
        done = run(self.listing, check=False)
        if done.returncode == 0:
            return lasting(done.stdout)
        if done.returncode == 127 or "No such file" in done.stderr:
            return None
        raise AgentError(f"nft cannot list the table {self.table}: {done.stderr.strip()}")

    def wanted(self) -> str:
        """Return the table as the kernel would list it, from a network namespace of its own."""
        script = f"nft -f - && {' '.join(self.listing)}"
        done = run(["unshare", "--net", "sh", "-c", script], text=self.text, check=False)
        if done.returncode == 0:
            return lasting(done.stdout)
        error = done.stderr.strip()
        if error.startswith("unshare:"):
            raise AgentError(
                f"`unshare --net` is not permitted ({error}), so the rules of the table"
                f" {self.table} cannot be compared: allow it, or run the agent as root outside"
                " of a container"
            )
        raise AgentError(
            f"the declared table {self.table} is not valid here (an interface that it names by"
            f" `iif` or `oif` has to exist; `iifname` need not): {error}"
        )

    @property
    def memory(self) -> str:
        """Where it is remembered how the kernel listed this very text when it was loaded."""
        return f"{STATE}/nftables/{fingerprint(self.text)}"

    def remembered(self) -> "str | None":
        """Return that listing: where it is still the same, nothing need be loaded to compare."""
        return read(self.memory)

    def undo(self) -> "list[str]":
        """Return what puts back the table that is loaded now.

        The file alone is not enough for it: a distribution's own begins with `flush ruleset`.
        """
        text = replacing(self.table, self.live() or "")
        return [f"printf %s {shlex.quote(text)} | nft -f -"]

    def apply(self, changes: "list[Change]") -> None:
        try:
            run(["nft", "-c", "-f", "-"], text=self.text)
        except AgentError as error:
            raise AgentError(f"the new rules are not valid, nothing was changed: {error}") from None
        run(["nft", "-f", "-"], text=self.text)
        write(PATH, self.text)
        os.makedirs(at(os.path.dirname(self.memory)), mode=0o700, exist_ok=True)
        write(self.memory, self.live() or "", 0o600)

    def guarded_paths(self) -> "list[str]":
        return [PATH]
