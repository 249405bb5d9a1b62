"""The lab's own package repository: the packages that hosts may install, and all they need."""

import hashlib
import re
import shutil
from pathlib import Path

from fhirstack_lab.packages import QUIET, RELEASE
from fhirstack_lab.run import run

SERVICES = ("chrony", "dnsmasq", "pebble")
"""What the host that plays the internet has installed."""

MIRRORED = (
    *SERVICES,
    "acl",
    "apt-utils",
    "conntrack",
    "containerd",
    "containernetworking-plugins",
    "cron",
    "curl",
    "ebtables",
    "ethtool",
    "gnupg",
    "haproxy",
    "ipset",
    "iptables",
    "jq",
    "lego",
    "libnfs-utils",
    "logrotate",
    "lsof",
    "needrestart",
    "netcat-openbsd",
    "nfs-common",
    "nfs-ganesha",
    "nfs-ganesha-vfs",
    "openssl",
    "pgbackrest",
    "postgresql",
    "prometheus-node-exporter",
    "prometheus-postgres-exporter",
    "prometheus-redis-exporter",
    "python3-apt",
    "redis-server",
    "rsyslog",
    "rsyslog-gnutls",
    "rsyslog-openssl",
    "rsync",
    "runc",
    "socat",
    "tzdata",
    "unattended-upgrades",
)

_KEY_OF = "fhirstack lab"


def make_mirror(mirror: Path, base: Path, sources: Path) -> None:
    """Fill a directory with a signed repository for hosts that begin with the base."""
    work = mirror.with_name("mirror-work")
    for directory in ("state/lists/partial", "cache/archives/partial", "parts"):
        (work / directory).mkdir(parents=True)
    options = {
        "Dir::State": work / "state",
        "Dir::State::status": base / "var/lib/dpkg/status",
        "Dir::Cache": work / "cache",
        "Dir::Etc::SourceList": sources,
        "Dir::Etc::SourceParts": work / "parts",
        "Dir::Etc::Preferences": "/dev/null",
        "Dir::Etc::PreferencesParts": work / "parts",
        "APT::Sandbox::User": "root",
        "APT::Architectures": run(["dpkg", "--print-architecture"]).strip(),
        "Acquire::Languages": "none",
    }
    apt = ["apt-get", "--quiet", "--yes"]
    apt += [word for key, value in options.items() for word in ("-o", f"{key}={value}")]
    run([*apt, "update"], environment=QUIET)
    run(
        [*apt, "install", "--download-only", "--no-install-recommends", *MIRRORED],
        environment=QUIET,
    )
    mirror.mkdir()
    for file in (work / "cache/archives").glob("*.deb"):
        # A colon stands in names as %3a: http servers read that as something else.
        file.rename(mirror / file.name.replace("%3a", "-"))
    shutil.rmtree(work)
    script = 'cd "$1" && dpkg-scanpackages --multiversion . >Packages && gzip -k9n Packages'
    run(["sh", "-ec", script, "sh", mirror])
    _sign(mirror)


def release_file(files: dict[str, bytes], date: str) -> str:
    """Return a Release file that says of itself what Debian's says, as updates choose by that."""
    lines = [
        "Origin: Debian",
        "Label: Debian",
        f"Codename: {RELEASE}",
        f"Date: {date}",
        "SHA256:",
        *(
            f" {hashlib.sha256(data).hexdigest()} {len(data)} {name}"
            for name, data in files.items()
        ),
    ]
    return "\n".join(lines) + "\n"


def _sign(mirror: Path) -> None:
    """Write the Release file and sign it with a key that is then thrown away."""
    names = ("Packages", "Packages.gz")
    date = run(["date", "--utc", "-R"]).strip()
    date = re.sub(r"\+0000$", "UTC", date)
    files = {name: (mirror / name).read_bytes() for name in names}
    (mirror / "Release").write_text(release_file(files, date))
    home = mirror.with_name("gpg")
    home.mkdir(mode=0o700)
    gpg: list[str | Path] = ["gpg", "--homedir", home, "--batch", "--quiet"]
    gpg += ["--pinentry-mode", "loopback", "--passphrase", ""]
    run([*gpg, "--quick-generate-key", _KEY_OF, "ed25519", "sign", "never"])
    run([*gpg, "--output", mirror / "InRelease", "--clearsign", mirror / "Release"])
    run([*gpg, "--output", mirror / "lab.gpg", "--export"])
    run(["gpgconf", "--homedir", home, "--kill", "all"])
    shutil.rmtree(home)
