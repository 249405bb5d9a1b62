"""What differs between the releases of distributions."""

from fhirstack.errors import UsageError
from fhirstack.model.host import Host

_POSTGRESQL = {
    ("debian", "12"): "15",
    ("debian", "13"): "17",
    ("ubuntu", "24.04"): "16",
    ("ubuntu", "26.04"): "18",
}
"""The major version that each release packages."""

_GANESHA_4 = {("debian", "12"), ("ubuntu", "24.04")}
"""Later ones ask to be an I/O flusher, and end where they may not."""

_WITHOUT_PENALTIES = {("debian", "12"), ("ubuntu", "24.04")}


def postgresql_version(host: Host) -> str:
    """Return the major version of the release's PostgreSQL. Raises UsageError if unknown."""
    release = (host.os.name, host.os.version)
    if release not in _POSTGRESQL:
        known = ", ".join(" ".join(item) for item in _POSTGRESQL)
        raise UsageError(
            f"{host.name}: fhirstack does not know the packages of {' '.join(release)}",
            remedy=f"install one of these: {known}",
        )
    return _POSTGRESQL[release]


def ssh_has_penalties(host: Host) -> bool:
    """Whether the release's sshd shuts out addresses with failed logins (OpenSSH 9.8)."""
    return (host.os.name, host.os.version) not in _WITHOUT_PENALTIES


def ganesha_asks_for_io_flusher(host: Host) -> bool:
    """Whether the release's NFS-Ganesha asks to be an I/O flusher, and has a setting for it."""
    return (host.os.name, host.os.version) not in _GANESHA_4
