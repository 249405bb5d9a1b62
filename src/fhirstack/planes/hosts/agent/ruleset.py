"""The whole of the kernel's firewall: which tables it has, and whose they are.

A packet passes all tables, but what another table translates never meets ours as it was sent: a
port that is published by it, as containers are, or redirected, is open whatever ours says.
"""

import re

from fhirstack.planes.hosts.agent.base import AgentError, Change, Resource, read, run

LISTING = ["nft", "--stateless", "list", "ruleset"]
_TABLE = re.compile(r"^table (\S+) (\S+) \{\n(.*?)^\}$", re.DOTALL | re.MULTILINE)
_CHAIN = re.compile(r"^\tchain (\S+) \{\n(.*?)^\t\}$", re.DOTALL | re.MULTILINE)
_TABLE_HANDLE = re.compile(r"\{ # handle \d+$", re.MULTILINE)
"""With ``-a`` nft writes a handle after the brace of each table and chain."""
_JUMP = re.compile(r"\b(?:jump|goto) (\S+)$")
_OPENS = re.compile(r"\b(dnat|snat|masquerade|redirect|tproxy|accept)\b")
_LEGACY = {"ip": "/proc/net/ip_tables_names", "ip6": "/proc/net/ip6_tables_names"}

_PROGRAMS = (
    ("docker.service", re.compile(r"\bDOCKER\b")),
    ("podman.socket", re.compile(r"\bNETAVARK\b")),
    ("libvirtd.service", re.compile(r"\bLIBVIRT_|libvirt_network")),
    ("lxd.service", re.compile(r"\blxd\b|\bincus\b")),
    ("firewalld.service", re.compile(r"\bfirewalld\b")),
    ("ufw.service", re.compile(r"\bufw6?-")),
    ("fail2ban.service", re.compile(r"\bf2b-")),
)
"""What programs name their chains or tables, by the unit that would make them again."""


class Table:
    """One table of the kernel, as nft lists it."""

    def __init__(self, family: str, name: str, body: str) -> None:
        self.name = f"{family} {name}"
        self.body = body
        self.chains: "dict[str, list[str]]" = {
            chain: [line.strip() for line in lines.splitlines() if line.strip()]
            for chain, lines in _CHAIN.findall(body)
        }

    def rules(self, owned: "tuple[str, ...]" = ()) -> "list[str]":
        """Return the rules that are not of chains, nor lead to chains, with these prefixes."""
        found = []
        for chain, lines in self.chains.items():
            if owned and chain.startswith(owned):
                continue
            for line in lines:
                jump = _JUMP.search(line)
                if line.startswith("type ") or (jump and owned and jump[1].startswith(owned)):
                    continue
                found.append(line)
        return found

    @property
    def closed(self) -> bool:
        """Whether a base chain drops what no rule takes: it may cut logs and metrics off."""
        return any("policy drop" in line for lines in self.chains.values() for line in lines)

    @property
    def program(self) -> str:
        """The unit that makes such a table; empty where none is known."""
        text = f"{self.name}\n{self.body}"
        return next((unit for unit, sign in _PROGRAMS if sign.search(text)), "")


def tables(listing: str) -> "list[Table]":
    """Return the tables of a listing of nft."""
    return [Table(*found) for found in _TABLE.findall(listing)]


def listed() -> "str | None":
    """Return all that the kernel has; None where nft is missing.

    Raises AgentError where it cannot be listed.
    """
    done = run(LISTING, check=False)
    if done.returncode == 127:
        return None
    if done.returncode:
        raise AgentError(f"nft cannot list the kernel's rules: {done.stderr.strip()}")
    return done.stdout


class Ruleset(Resource):
    """No table in the kernel but those of known owners.

    A rollback does not bring it back: who gets in by another's rule has no right to.
    """

    kind = "ruleset"

    def plan(self) -> "list[Change]":
        changes = [self.told(table) for table in self.foreign()]
        for family, path in _LEGACY.items():
            if names := (read(path) or "").split():
                reason = (
                    f"the old iptables has tables here ({', '.join(names)}), which nft does not"
                    " show: `iptables-legacy-save` does; restart without the module ip_tables"
                )
                changes.append(Change(f"table:legacy {family}", "report", reason=reason))
        return changes

    def foreign(self) -> "list[Table]":
        """Return the tables with rules that no known owner has made."""
        prefixes = tuple(self.spec["chains"])
        return [
            table
            for table in tables(listed() or "")
            if table.name not in self.spec["tables"] and (table.rules(prefixes) or table.closed)
        ]

    def told(self, table: Table) -> Change:
        """Return the change for a table, with the rule that matters most."""
        rules = table.rules(tuple(self.spec["chains"]))
        first = next((rule for rule in rules if _OPENS.search(rule)), next(iter(rules), ""))
        what = f"it has {len(rules)} rules, such as `{first}`" if rules else "it drops all"
        whose = f"{table.program} makes it" if table.program else "nobody who is known made it"
        return Change(f"table:{table.name}", "delete", reason=f"{whose}; {what}")

    def apply(self, changes: "list[Change]") -> None:
        for table in self.foreign():
            if table.program and _runs(table.program):
                raise AgentError(
                    f"the table {table.name} belongs to {table.program}, which runs: end what"
                    f" needs it, then `systemctl disable --now {table.program}`"
                )
            if any(chain.startswith(tuple(self.spec["chains"])) for chain in table.chains):
                self.purge(table)
            else:
                run(["nft", "delete", "table", *table.name.split()])

    def purge(self, table: Table) -> None:
        """Delete the rules of others one by one: the table is the cluster's programs' as well."""
        listing = run(["nft", "-a", *LISTING[1:2], "list", "table", *table.name.split()]).stdout
        owned = tuple(self.spec["chains"])
        (numbered,) = tables(_TABLE_HANDLE.sub("{", listing))
        lines = []
        for chain, rules in numbered.chains.items():
            if chain.startswith(owned):
                continue
            for rule in rules:
                # What a chain is hooked to has no handle.
                text, _, handle = rule.partition(" # handle ")
                jump = _JUMP.search(text)
                if handle and not (jump and jump[1].startswith(owned)):
                    lines.append(f"delete rule {table.name} {chain} handle {handle}")
        run(["nft", "-f", "-"], text="\n".join([*lines, ""]))


def _runs(unit: str) -> bool:
    return run(["systemctl", "is-active", "--quiet", unit], check=False).returncode == 0
