"""Which DNS servers the host asks: none but those that its firewall lets it ask."""

import os
import re

from fhirstack.planes.hosts.agent.base import Change, Resource, at, read, run, write
from fhirstack.planes.hosts.agent.nameservers import STUB, nameservers, resolvers

PLAIN = "/etc/resolv.conf"
RESOLVED = "/etc/systemd/resolved.conf.d/60-fhirstack.conf"
_MOST = 3
"""The C library reads no more of them (MAXNS)."""
_KEEPERS = (
    ("/etc/dhcp", "/etc/dhcp/dhclient-enter-hooks.d/60-fhirstack", "make_resolv_conf() { :; }\n"),
    (
        "/etc/NetworkManager",
        "/etc/NetworkManager/conf.d/60-fhirstack.conf",
        "[main]\ndns=none\nrc-manager=unmanaged\n",
    ),
)
"""Programs that write resolv.conf anew with what DHCP says, and what keeps them from it: where
the directory is there, a file."""


class Resolvers(Resource):
    """The servers that are asked. Which of them, and in which order, is the host's affair."""

    kind = "resolvers"

    def plan(self) -> "list[Change]":
        wanted, found = self.spec["servers"], resolvers()
        if found and set(found) <= set(wanted):
            return []
        behind = STUB in nameservers(PLAIN)
        # Those of a link stay in its list; what goes to all names goes to ours.
        if behind and read(RESOLVED) == self.dropin() and set(wanted) <= set(found):
            return []
        return [
            self.change(
                "update",
                before=", ".join(found) or "none",
                after=", ".join(wanted),
                reason="the firewall lets the host ask the site's resolvers alone",
            )
        ]

    def dropin(self) -> str:
        """Return the settings of systemd's resolver: ours for all names, before any link's."""
        return f"[Resolve]\nDNS={' '.join(self.spec['servers'])}\nDomains=~.\n"

    def apply(self, changes: "list[Change]") -> None:
        if STUB in nameservers(PLAIN):
            os.makedirs(at(os.path.dirname(RESOLVED)), exist_ok=True)
            write(RESOLVED, self.dropin())
            run(["systemctl", "restart", "systemd-resolved"])
            return
        for there, path, content in _KEEPERS:
            if os.path.isdir(at(there)):
                os.makedirs(at(os.path.dirname(path)), exist_ok=True)
                write(path, content)
        kept = re.findall(r"^(?:search|domain|options)\b.*$", read(PLAIN) or "", re.MULTILINE)
        lines = [f"nameserver {one}" for one in self.spec["servers"][:_MOST]]
        write(PLAIN, "\n".join([*kept, *lines, ""]))
