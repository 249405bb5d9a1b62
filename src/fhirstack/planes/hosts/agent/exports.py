"""What the NFS server exports now, against what its files say."""

from fhirstack.planes.hosts.agent.base import AgentError, Change, Resource, read, run

_ETAB = "/var/lib/nfs/etab"
"""What is exported, with every option. ``exportfs -s`` reads it too, and leaves options out."""

_WANTED = f"mount -t tmpfs tmpfs /var/lib/nfs && {{ exportfs -ra; cat {_ETAB}; }}"
"""Exports the files' contents in namespaces of its own, where nothing is listening."""


def parsed(text: str) -> "dict[tuple[str, str], str]":
    """Return the options of each pair of a path and a client."""
    found = {}
    for line in text.splitlines():
        path, _, rest = line.partition("\t")
        client, _, options = rest.rstrip(")").rpartition("(")
        found[path, client] = options
    return found


class Exports(Resource):
    """The exports of the kernel's NFS server: those of /etc/exports and /etc/exports.d."""

    kind = "exports"

    def plan(self) -> "list[Change]":
        if run(["exportfs", "-s"], check=False).returncode == 127:
            return [self.change("create", reason="no NFS server is installed yet")]
        now, wanted = parsed(read(_ETAB) or ""), self.wanted()
        changes = []
        for pair in sorted({**now, **wanted}, key=" ".join):
            before, after = now.get(pair), wanted.get(pair)
            if before == after:
                continue
            path, client = pair
            if after is None:
                action, reason = "delete", f"no file exports {path} to {client}"
            elif before is None:
                action, reason = "create", f"{path} is not exported to {client}"
            else:
                action, reason = "update", f"{path} has other options for {client}"
            changes.append(self.change(action, before=before, after=after, reason=reason))
        return changes

    def wanted(self) -> "dict[tuple[str, str], str]":
        """Return the exports of the files. Names of clients are looked up in /etc/hosts only."""
        done = run(["unshare", "--mount", "--net", "sh", "-c", _WANTED], check=False)
        if done.returncode:
            raise AgentError(
                "what /etc/exports says cannot be read in a namespace of its own (`unshare"
                f" --mount --net`): {done.stderr.strip()}; allow it, or run the agent as root"
                " outside of a container"
            )
        return parsed(done.stdout)

    def apply(self, changes: "list[Change]") -> None:
        run(["exportfs", "-ra"])
