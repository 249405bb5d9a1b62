"""sshd that a socket starts, as Ubuntu installs it: changed for the service, which always runs."""

import os

from fhirstack.planes.hosts.agent.base import Change, Resource, at, run

_WANTED = (
    "/etc/systemd/system/sockets.target.wants/ssh.socket",
    "/etc/systemd/system/ssh.service.requires/ssh.socket",
)
_RUNTIME = "/run/sshd"
"""sshd checks no configuration without it, and only the service makes it (sshd(8))."""


class SshSocket(Resource):
    """ssh.socket does not listen, now or after a reboot: the service does, at its own port.

    With the socket, sshd's own ``Port`` is not what is listened on, and the service cannot bind.
    """

    kind = "ssh-socket"

    def plan(self) -> "list[Change]":
        if any(os.path.lexists(at(path)) for path in _WANTED):
            return [self.change("update", after="ssh.service", reason="a socket starts sshd")]
        if not os.path.isdir(at(_RUNTIME)):
            return [self.change("create", reason=f"{_RUNTIME} is missing: sshd -t fails")]
        return []

    def apply(self, changes: "list[Change]") -> None:
        os.makedirs(at(_RUNTIME), mode=0o755, exist_ok=True)
        if any(os.path.lexists(at(path)) for path in _WANTED):
            run(["systemctl", "disable", "ssh.socket"])
            # In one call: nobody listens for the moment between the two, and who is in stays in.
            run(["systemctl", "enable", "ssh.service"])
            run(["sh", "-c", "systemctl stop ssh.socket; systemctl restart ssh.service"])
