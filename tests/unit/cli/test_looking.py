"""Who only looks changes nothing: every such command, on a site that cannot be written too."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import typer
import yaml

from fhirstack.cli.main import application
from fhirstack.model.load import load_site
from fhirstack.model.template import site_template
from fhirstack.planes.hosts import drafted, ssh
from fhirstack.planes.local import secrets, stack
from fhirstack.planes.local.account import own_account
from fhirstack.services import catalogue

HERE = Path(__file__).parent
E = ("-e", "production")
TWO = ("--role", "database", "--role", "load-balancer")

# What each command looks at is read; the words make it look, and nothing else. The exit code is
# that of a stack that is down, of hosts that are as declared, and of no other answer of theirs.
LOOKS: dict[str, list[tuple[tuple[str, ...], int]]] = {
    "version": [((), 0)],
    "schema": [((), 0)],
    "check": [((), 0), (("--format", "json", *E), 0)],
    "requirements": [((), 0), (("-f", "site.yaml", "--format", "csv"), 0)],
    "render": [(E, 0)],
    "preflight": [((*E, *TWO, "--format", "html"), 3)],
    "plan": [
        ((*E,), 3),
        ((*E, "--format", "json", "--role", "worker"), 0),
        (("-f", "other.yaml", *E, *TWO), 3),
        (("-f", "swapped.yaml", *E, *TWO), 3),
        (("--name", "here"), 3),
    ],
    "drift": [((*E, *TWO), 3), (("-f", "other.yaml", *E, *TWO), 3)],
    "firewall prove": [(E, 3)],
    "certs check": [(E, 3), (("-f", "own.yaml", *E), 1)],
    "databases plan": [(E, 3)],
    "verify": [(("--list",), 0), (("--list", "client."), 0)],
    "status": [(("--name", "here"), 1)],
    "logs": [(("supervisord", "--name", "here"), 0)],
    "secret": [(("--name", "here"), 0), (("redis-admin", "--name", "here"), 0)],
}
# What changes something; `verify` without --list does too.
ACTS = {
    "init", "up", "restart", "down", "sync", "demo load", "apply", "trust", "ssh", "run",
    "certs request", "databases apply", "storage prove", "hosts retire",
}  # fmt: skip

SSH = """\
import json, os, sys, zlib
if "zlib" in sys.argv[-1]:
    stream = sys.stdin.buffer
    parts = [zlib.decompress(stream.read(int(stream.readline()))) for _ in range(2)]
    request = json.loads(parts[1])
    answer = {"error": "it tells nothing more"}
    if request["mode"] == "plan":
        host = request["identity"]["host"]
        answer = {"changes": [], "fingerprint": host, "machine_id": host, "seconds": 0}
    print(json.dumps({"answer": answer}))
elif sys.argv[-1] != "true":
    sys.exit("ssh: it does no more")
"""


def commands(group, before=()):
    """Yield the words of every command of the command line."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, (*before, name))
        else:
            yield " ".join((*before, name))


def test_every_command_is_known_to_look_or_to_act():
    found = set(commands(typer.main.get_command(application())))
    assert found == {*LOOKS, *ACTS}
    assert not LOOKS.keys() & ACTS


def edited(path, edit):
    document = yaml.safe_load(site_template())
    edit(document["environments"]["production"])
    path.write_text(yaml.safe_dump(document, sort_keys=False))


def swapped(production):
    by_role = {host["role"]: host for host in production["hosts"]}
    by_role["database"]["role"], by_role["nfs"]["role"] = "nfs", "database"


@pytest.fixture
def place(tmp_path, monkeypatch, program):
    """A directory with sites, hosts that are known, and a stack that is down; and a home."""
    file = program("ssh", "")
    # Without what it does not need, since it is started a hundred times.
    file.write_text(f"#!{sys.executable} -IS\n{SSH}")
    home, site = tmp_path / "home", tmp_path / "site"
    for directory in (home, site, tmp_path / "run", tmp_path / "cache", tmp_path / "tmp"):
        directory.mkdir(mode=0o700)
    for name, value in {
        "HOME": home,
        "XDG_RUNTIME_DIR": tmp_path / "run",
        "FHIRSTACK_CACHE": tmp_path / "cache",
        "FHIRSTACK_HOME": home / "stacks",
        "TMPDIR": tmp_path / "tmp",
    }.items():
        monkeypatch.setenv(name, str(value))
    for name in ("XDG_CACHE_HOME", "XDG_DATA_HOME", "SSH_AUTH_SOCK"):
        monkeypatch.delenv(name, raising=False)
    (site / "site.yaml").write_text(site_template())
    edited(site / "other.yaml", lambda one: one.update(domain="other.example.net"))
    edited(site / "swapped.yaml", swapped)
    own = {"issuer": "provided", "directory": "certificates"}
    edited(site / "own.yaml", lambda one: one.update(tls=own))
    production = load_site(site / "site.yaml").environments["production"]
    known = ssh.Connections(production, site / "site.yaml")
    known.directory.mkdir(parents=True)
    known.known_hosts.write_text("".join(f"{name} ssh-ed25519 AAAA\n" for name in known.targets))
    (home / "stacks").mkdir()
    here = stack.Stack("here", home / "stacks/here", 29400)
    here.root.mkdir()
    stack.record(here, own_account())
    secrets.ensure(here.path("secrets"), catalogue.SECRETS, own_account())
    (here.path("log") / "supervisord.log").write_text("a line\n")
    return tmp_path


def made(site):
    """Make what an apply makes."""
    production = load_site(site / "site.yaml").environments["production"]
    drafted.drafted(site, production, production.hosts).store.keep(own_account())


def digests(*places, leave=()):
    """Return every path, but of caches, with its kind, mode and content."""
    found = {}
    for top in places:
        for path in sorted(top.rglob("*")):
            if any(part in leave for part in path.relative_to(top).parts):
                continue
            content = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
            found[str(path)] = (oct(path.lstat().st_mode), content)
    return found


def runs(place, words, read_only):
    command = [sys.executable, str(HERE / "looked.py")]
    if read_only:
        user = [] if os.geteuid() == 0 else ["--map-root-user"]
        script = 'mount --bind . . && mount -o remount,bind,ro . && cd "$PWD" && exec "$@"'
        command = ["unshare", *user, "--mount", "sh", "-c", script, "sh", *command]
    paths = [str(HERE.parents[2] / "src"), os.environ.get("PYTHONPATH", "")]
    done = subprocess.run(
        command,
        input=json.dumps(words),
        capture_output=True,
        text=True,
        check=False,
        cwd=place / "site",
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))},
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def may_mount(place):
    if not shutil.which("unshare"):
        return False
    user = [] if os.geteuid() == 0 else ["--map-root-user"]
    command = ["unshare", *user, "--mount", "mount", "--bind", place, place]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


@pytest.mark.parametrize(
    ("read_only", "before"),
    [(False, made), (True, lambda site: None)],
    ids=["after an apply", "before it, on a site that is read-only"],
)
def test_who_looks_changes_nothing(place, before, read_only):
    if read_only and not may_mount(place):
        pytest.skip("this machine lets nobody mount")
    site = place / "site"
    before(site)
    # Known hosts and the configuration of ssh are a cache beside the site, where it can be.
    leave = () if read_only else (".fhirstack",)
    there = digests(site, place / "home", leave=leave)
    asked = [
        ([*name.split(), *words], code) for name, some in LOOKS.items() for words, code in some
    ]
    answers = runs(place, [words for words, _ in asked], read_only)
    assert digests(site, place / "home", leave=leave) == there
    others = []
    for (words, code), (found, said) in zip(asked, answers, strict=True):
        # Once all is made, nothing of these hosts differs.
        settled = before is made and words[0] in ("plan", "drift") and not {"-f", "here"} & {*words}
        if found != code or "Traceback" in said or (settled and "to be made" in said):
            others.append((words, found, said))
    assert not others, "\n".join(f"{words}: {code}\n{said}" for words, code, said in others)


def declined(place, words):
    """Run a command at a terminal at which a person says no; return its exit code."""
    person, terminal = os.openpty()
    os.write(person, b"n\n")
    with subprocess.Popen(
        [sys.executable, "-m", "fhirstack", *words],
        stdin=terminal,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        cwd=place / "site",
        env={**os.environ, "PYTHONPATH": str(HERE.parents[2] / "src")},
    ) as process:
        said, _ = process.communicate()
    os.close(person)
    os.close(terminal)
    assert b"Make these changes on 0 hosts, and the 9 in secrets/?" in said
    return process.returncode


def test_an_apply_that_is_declined_makes_nothing(place):
    there = digests(place / "site", leave=(".fhirstack",))
    assert declined(place, ["apply", *E, *TWO]) == 1
    assert digests(place / "site", leave=(".fhirstack",)) == there


def test_an_apply_that_is_not_allowed_makes_nothing(place):
    site = place / "site"
    there = digests(site, leave=(".fhirstack",))
    # Nobody can be asked here.
    ((code, said),) = runs(place, [["apply", *E, *TWO]], read_only=False)
    assert code == 2, said
    assert digests(site, leave=(".fhirstack",)) == there
    ((code, said),) = runs(place, [["apply", *E, *TWO, "--yes"]], read_only=False)
    assert code == 0, said
    assert digests(site / "secrets/production").keys() >= {
        str(site / "secrets/production/tls/authority.pem"),
        str(site / "secrets/production/redis-admin"),
    }
    there = digests(site, leave=(".fhirstack",))
    other = ["apply", "-f", "other.yaml", *E, *TWO, "--yes"]
    wrong = [*other, "--replace-authority", "staging"]
    for words in (other, wrong):
        ((code, said),) = runs(place, [words], read_only=False)
        assert code == 2, said
        assert digests(site, leave=(".fhirstack",)) == there
    ((code, said),) = runs(place, [[*other, "--replace-authority", "production"]], read_only=False)
    assert code == 0, said
    after = digests(site, leave=(".fhirstack",))
    assert {digest for _, digest in there.values()} <= {digest for _, digest in after.values()}
