"""What differs between the releases of distributions: the one table of it. See docs/releases.md."""

from dataclasses import dataclass

from fhirstack.errors import UsageError
from fhirstack.model.host import Host


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """What a release packages, as far as what is declared depends on it."""

    postgresql: str
    """The major version."""
    sudo: str = "sudo"
    """The package of the sudo that its images come with."""
    ssh_penalties: bool = True
    """Whether sshd shuts out addresses with failed logins (OpenSSH 9.8)."""
    ganesha_flusher: bool = True
    """Whether NFS-Ganesha asks to be an I/O flusher, ends where it may not, and has a setting."""


RELEASES = {
    ("debian", "12"): Release(postgresql="15", ssh_penalties=False, ganesha_flusher=False),
    ("debian", "13"): Release(postgresql="17"),
    ("ubuntu", "24.04"): Release(postgresql="16", ssh_penalties=False, ganesha_flusher=False),
    ("ubuntu", "26.04"): Release(postgresql="18", sudo="sudo-rs"),
}


def release(host: Host) -> Release:
    """Return what the host's release packages. Raises UsageError if it is not known."""
    name = (host.os.name, host.os.version)
    if name not in RELEASES:
        known = ", ".join(" ".join(item) for item in RELEASES)
        raise UsageError(
            f"{host.name}: fhirstack does not know the packages of {' '.join(name)}",
            remedy=f"install one of these: {known}",
        )
    return RELEASES[name]
