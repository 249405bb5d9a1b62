"""What a person's own ssh settings can do to us: nothing but what is written down as theirs."""

import gzip
import os
import re
import subprocess
from pathlib import Path

import pytest

from fhirstack.errors import UnreachableError
from fhirstack.model.load import load_site
from fhirstack.model.template import site_template
from fhirstack.planes.hosts import ssh, ssh_settings

MANUALS = (Path("/usr/share/man/man5/ssh_config.5.gz"), Path("/usr/share/man/man5/ssh_config.5"))

HOSTILE = [
    ("RemoteCommand bash -l", "remotecommand", None),
    ("LocalForward 5432 localhost:5432", "clearallforwardings", "yes"),
    ("RemoteForward 5432 localhost:5432", "clearallforwardings", "yes"),
    ("DynamicForward 1080", "clearallforwardings", "yes"),
    ("ExitOnForwardFailure yes", "exitonforwardfailure", "no"),
    ("Tunnel yes", "tunnel", "false"),
    ("StdinNull yes", "stdinnull", "no"),
    ("ForkAfterAuthentication yes", "forkafterauthentication", "no"),
    ("SessionType none", "sessiontype", "default"),
    ("LogLevel QUIET", "loglevel", "INFO"),
    ("LogVerbose *", "logverbose", "none"),
    ("RequestTTY force", "requesttty", "auto"),
    ("PermitLocalCommand yes", "permitlocalcommand", "no"),
    ("LocalCommand reboot", "localcommand", None),
    ("ForwardX11 yes", "forwardx11", "no"),
    ("ForwardAgent yes", "forwardagent", "no"),
    ("VisualHostKey yes", "visualhostkey", "no"),
    ("AddKeysToAgent confirm", "addkeystoagent", "false"),
    ("HashKnownHosts yes", "hashknownhosts", "no"),
    ("StrictHostKeyChecking no", "stricthostkeychecking", "true"),
    ("GlobalKnownHostsFile /tmp/theirs", "globalknownhostsfile", "/dev/null"),
    ("KnownHostsCommand /bin/false", "knownhostscommand", None),
    ("NoHostAuthenticationForLocalhost yes", "nohostauthenticationforlocalhost", "no"),
    ("VerifyHostKeyDNS yes", "verifyhostkeydns", "false"),
    ("PubkeyAuthentication no", "pubkeyauthentication", "true"),
    ("BatchMode yes", "batchmode", "no"),
    ("AddressFamily inet6", "addressfamily", "any"),
    ("CanonicalizeHostname always", "canonicalizehostname", "false"),
    ("Port 2222", "port", "22"),
    ("User somebody", "user", "fhirstack"),
    ("Hostname 192.0.2.1", "hostname", "10.30.0.51"),
    ("HostKeyAlias other", "hostkeyalias", "production-db"),
    ("ProxyCommand /bin/false", "proxycommand", None),
    ("ControlPersist no", "controlpersist", "60"),
    ("UseKeychain yes", "usekeychain", None),
    ("NoSuchWord yes", "nosuchword", None),
]
"""A line of the person's own configuration, and what holds all the same; None: not set."""


@pytest.fixture
def connections(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    return _connections(tmp_path)


def _connections(directory, access=""):
    file = directory / "site.yaml"
    file.write_text(
        site_template().replace(
            "  tls:\n", f"  access: {{ssh_config: theirs{access}}}\n  tls:\n", 1
        )
    )
    (directory / "theirs").touch(mode=0o600)
    return ssh.Connections(load_site(file).environments["production"], file)


def _effective(connections, name="production-db"):
    connections.prepare()
    done = subprocess.run(
        connections.command(name, options=("-G",)), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return dict(line.split(" ", 1) for line in done.stdout.splitlines() if " " in line)


@pytest.mark.parametrize(("line", "key", "value"), HOSTILE, ids=[row[0] for row in HOSTILE])
def test_the_persons_own_setting_does_not_reach_us(connections, tmp_path, line, key, value):
    (tmp_path / "theirs").write_text(f"Host *\n  {line}\n")
    found = _effective(connections)
    assert found.get(key) == value


def test_what_the_person_decides_is_honoured(connections, tmp_path):
    (tmp_path / "theirs").write_text(
        "ProxyCommand relay %h\nIdentityAgent /run/agent\nCiphers aes256-gcm@openssh.com\n"
    )
    found = _effective(connections, "production-bastion")
    assert found["proxycommand"] == "relay %h"
    assert found["identityagent"] == "/run/agent"
    assert found["ciphers"] == "aes256-gcm@openssh.com"


def test_each_keyword_of_the_manual_is_ours_or_theirs():
    manual = next((path for path in MANUALS if path.exists()), None)
    if manual is None:
        pytest.skip("the manual ssh_config(5) is not installed")
    source = gzip.decompress(manual.read_bytes()) if manual.suffix == ".gz" else manual.read_bytes()
    keywords = set(re.findall(r"^\.It Cm (\w+)$", source.decode(), re.MULTILINE))
    assert len(keywords) > 80
    ours = {*ssh_settings.OURS, *ssh_settings.OF_A_MACHINE}
    assert keywords - ours - ssh_settings.THEIRS == set()
    assert ours & ssh_settings.THEIRS == set()


def _key(path, passphrase=""):
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", passphrase, "-f", path], check=True)


@pytest.mark.parametrize(
    ("passphrase", "ending", "agent"), [("", "", "none"), ("secret", "", None), ("", ".pub", None)]
)
def test_the_sites_key_alone_is_offered(tmp_path, monkeypatch, passphrase, ending, agent):
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    _key(tmp_path / "key", passphrase)
    connections = _connections(tmp_path, f", identity: key{ending}")
    (tmp_path / "theirs").write_text("IdentitiesOnly no\n")
    found = _effective(connections)
    assert found["identitiesonly"] == "yes"
    assert found["identityfile"] == str(tmp_path / f"key{ending}")
    assert found.get("identityagent") == agent


def test_without_a_key_of_the_sites_the_persons_agent_and_keys_serve(connections):
    assert _effective(connections)["identitiesonly"] == "no"


def _long(path):
    path = path / ("x" * 60)
    path.mkdir()
    return str(path)


@pytest.mark.parametrize(
    "base",
    [
        lambda _: None,
        lambda _: "",
        lambda _: "relative",
        lambda path: str(path / "not-there"),
        lambda path: str((path / "file").touch() or path / "file"),
        _long,
    ],
    ids=["none", "empty", "relative", "not there", "a file", "long"],
)
def test_whatever_the_runtime_directory_is_sockets_lie_in_a_private_short_one(
    connections, monkeypatch, tmp_path, base
):
    value = base(tmp_path)
    if value is None:
        monkeypatch.delenv("XDG_RUNTIME_DIR")
    else:
        monkeypatch.setenv("XDG_RUNTIME_DIR", value)
    monkeypatch.delenv("HOME", raising=False)
    path = Path(_effective(connections)["controlpath"]).parent
    found = path.stat()
    assert (found.st_uid, found.st_mode & 0o777) == (os.geteuid(), 0o700)
    assert len(str(path)) <= ssh._SOCKET_BYTES
    assert path.parent == Path("/tmp")  # noqa: S108


def test_a_runtime_directory_of_somebody_else_is_not_used(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    real = Path.lstat

    class _Foreign:
        def __init__(self, found):
            self.st_mode, self.st_uid = found.st_mode, found.st_uid + 1

    def lstat(self):
        return _Foreign(real(self)) if self == tmp_path else real(self)

    monkeypatch.setattr(Path, "lstat", lstat)
    assert ssh._sockets().parent == Path("/tmp")  # noqa: S108


def test_where_no_directory_serves_it_is_said_with_all_of_them(monkeypatch):
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    monkeypatch.setattr(ssh, "_is_own", lambda path, private=False: False)
    with pytest.raises(UnreachableError, match="only you can enter") as raised:
        ssh._sockets()
    assert "XDG_RUNTIME_DIR" in raised.value.remedy


@pytest.mark.parametrize(
    ("said", "what", "shown"),
    [
        (
            "Received disconnect from 1 port 22:2: Too many authentication failures\n"
            "Disconnected from 1 port 22",
            "so many keys",
            "Too many authentication failures",
        ),
        (
            "mux_client_request_stdio_fwd: Stdio forwarding request failed:"
            " Session open refused by peer\nConnection closed by UNKNOWN port 65535",
            "lets nothing through",
            "Session open refused by peer",
        ),
        (
            "/home/ann/.ssh/config: line 3: Bad configuration option: Prt\n"
            "/home/ann/.ssh/config: terminating, 1 bad configuration options",
            "cannot read its configuration",
            "line 3",
        ),
        (
            "a first line\nConnection closed by UNKNOWN port 65535",
            "lets nothing through",
            "a first",
        ),
    ],
)
def test_no_line_of_what_ssh_says_is_hidden(connections, said, what, shown):
    error = ssh.failure(connections, "production-db", said)
    assert what in error.what
    assert shown in f"{error.what} {error.remedy}"
