"""A password for sudo: where it comes from, how it travels, and where it never is."""

import os
import stat

import pytest

from fhirstack.errors import UnreachableError, UsageError
from fhirstack.model.load import load_site
from fhirstack.model.template import site_template
from fhirstack.planes.hosts import calls, ssh, sudo

PASSWORD = "p w'$d"

_SSH = """\
#!/usr/bin/env python3
# Stands for ssh and sudo on a host: sudo reads its password one byte at a time, as it does.
import os, shlex, subprocess, sys
words = shlex.split(sys.argv[-1])
with open(os.environ["FAKE_LOG"], "a") as log:
    log.write(shlex.join(sys.argv) + "\\n")
kind = os.environ["FAKE_SUDO"]
if words[:2] == ["sudo", "-n"]:
    if kind == "free":
        sys.exit(subprocess.call(words[2:]))
    said = {"sudo": "a password is required", "rs": "interactive authentication is required"}
    print("sudo:", said[kind], file=sys.stderr)
    sys.exit(1)
if words[0] == "sudo":
    given = b""
    while (piece := os.read(0, 1)) not in (b"", b"\\n"):
        given += piece
    if given.decode() != os.environ["FAKE_PASSWORD"]:
        print("sudo: 1 incorrect password attempt", file=sys.stderr)
        sys.exit(1)
    words = words[words.index("") + 1:]
sys.exit(subprocess.call(words))
"""


@pytest.fixture
def connections(tmp_path, monkeypatch):
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "ssh").write_text(_SSH)
    (programs / "ssh").chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:/usr/bin:/bin")
    monkeypatch.setenv("FAKE_LOG", str(tmp_path / "log"))
    monkeypatch.setenv("FAKE_PASSWORD", PASSWORD)
    monkeypatch.setenv("FAKE_SUDO", "sudo")
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.delenv(sudo.FILE, raising=False)
    monkeypatch.setattr(sudo, "_known", {})
    file = tmp_path / "site.yaml"
    file.write_text(site_template())
    return ssh.Connections(load_site(file).environments["production"], file)


def _given(tmp_path, monkeypatch, text=f"{PASSWORD}\n", mode=0o600):
    file = tmp_path / "password"
    file.write_text(text)
    file.chmod(mode)
    monkeypatch.setenv(sudo.FILE, str(file))
    return file


def _call(connections, name="production-db"):
    return calls.call(connections, name, {"mode": "facts"})


@pytest.mark.parametrize("kind", ["sudo", "rs"])
def test_the_password_of_the_file_goes_to_sudo_on_standard_input_alone(
    connections, tmp_path, monkeypatch, kind
):
    monkeypatch.setenv("FAKE_SUDO", kind)
    _given(tmp_path, monkeypatch)
    assert _call(connections)["root"] is (os.geteuid() == 0)
    assert PASSWORD not in (tmp_path / "log").read_text()
    for path in tmp_path.rglob("*"):
        if path.is_file() and not path.is_symlink() and path.name not in ("password", "ssh"):
            assert PASSWORD not in path.read_text(errors="replace"), path


def test_without_a_need_no_password_is_asked(connections, monkeypatch):
    monkeypatch.setenv("FAKE_SUDO", "free")
    monkeypatch.setattr(sudo, "password", lambda user: pytest.fail("asked"))
    assert "hostname" in _call(connections)


def test_it_is_asked_once_for_all_hosts(connections, monkeypatch):
    asked = []
    monkeypatch.setattr(sudo.sys.stdin, "isatty", lambda: True, raising=False)
    monkeypatch.setattr(sudo.getpass, "getpass", lambda text: asked.append(text) or PASSWORD)
    names = [f"production-worker-{number}" for number in (1, 2, 3)]
    rests = []
    with sudo.paused(lambda: rests.append("stop"), lambda: rests.append("start")):
        answers = calls.call_all(connections, {name: {"mode": "facts"} for name in names})
    assert all(isinstance(answer, dict) for answer in answers.values()), answers
    assert len(asked) == 1
    assert rests == ["stop", "start"]


def test_a_wrong_one_is_tried_once_a_host(connections, tmp_path, monkeypatch):
    _given(tmp_path, monkeypatch, "wrong\n")
    with pytest.raises(UnreachableError, match="does not take the password of fhirstack"):
        _call(connections)
    log = (tmp_path / "log").read_text().splitlines()
    assert sum("sudo -S" in line for line in log) == 1


def test_where_nobody_can_be_asked_the_ways_are_named(connections, monkeypatch):
    monkeypatch.setattr(sudo.sys.stdin, "isatty", lambda: False, raising=False)
    with pytest.raises(UnreachableError, match="asks fhirstack for a password") as raised:
        _call(connections)
    assert sudo.FILE in raised.value.remedy


@pytest.mark.parametrize(
    ("text", "mode", "what"),
    [(PASSWORD, 0o644, "others can read it"), ("\n", 0o600, "empty"), (None, 0, "No such file")],
)
def test_a_file_that_does_not_serve_is_refused(tmp_path, monkeypatch, text, mode, what):
    monkeypatch.setattr(sudo, "_known", {})
    file = _given(tmp_path, monkeypatch, text or "", mode or stat.S_IRUSR)
    if text is None:
        file.unlink()
    with pytest.raises(UsageError, match=what):
        sudo.password("fhirstack")
    assert sudo._known == {}
