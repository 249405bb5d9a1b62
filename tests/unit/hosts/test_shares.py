"""Using the NFS storage: what a client says, what the server has, and what is made of both."""

import socket
import subprocess

import pytest
from tests.unit.hosts.desired_site import changed, environment, host

from fhirstack.errors import UnreachableError, UsageError
from fhirstack.model.host import Role
from fhirstack.planes.hosts import shares
from fhirstack.planes.hosts.agent import base
from fhirstack.planes.hosts.agent import shares as agent

TOKEN = "f00d"
REQUEST = {
    "server": "127.0.0.1", "path": "/srv/b", "token": TOKEN, "host": "db", "users": [0, 65534],
}  # fmt: skip
SERVED = {"user": 0, "served": True, "refused": False, "said": ""}
NO_KERNEL = (40, "", "mount: /run/x: unknown filesystem type 'nfs4'.")


@pytest.fixture
def reached(monkeypatch):
    monkeypatch.setattr(socket, "create_connection", lambda *_: socket.socket())


def programs(monkeypatch, **answers):
    """Let programs answer with code, output and error; others are missing."""
    seen = []

    def run(command, **_):
        seen.append(command)
        code, out, err = answers.get(command[0].replace("-", "_"), (127, "", "not found"))
        return subprocess.CompletedProcess(command, code, out, err)

    monkeypatch.setattr(agent, "run", run)
    return seen


# What programs answer, whether users are served, and what is said of it.
CLIENTS = [
    ({"unshare": (0, TOKEN, "")}, True, ""),
    ({"unshare": (0, "other", "")}, False, ""),
    ({"unshare": (40, "", "mount: access denied by server")}, False, "access denied"),
    ({"unshare": (2, "", "sh: cannot create: Permission denied")}, False, "Permission denied"),
    ({"unshare": NO_KERNEL, "nfs_cp": (0, "", ""), "nfs_cat": (0, TOKEN, "")}, True, ""),
    ({"unshare": NO_KERNEL, "nfs_cp": (254, "", "NFS4ERR_NOENT")}, False, "NFS4ERR_NOENT"),
    ({"unshare": NO_KERNEL, "nfs_cp": (0, "", ""), "nfs_cat": (0, "", "")}, False, ""),
]


@pytest.mark.parametrize(("answers", "served", "said"), CLIENTS)
def test_a_client_tells_whether_it_read_what_it_wrote(reached, monkeypatch, answers, served, said):
    programs(monkeypatch, **answers)
    tries = agent.use(REQUEST)["tries"]
    assert [(one["user"], one["served"]) for one in tries] == [(0, served), (65534, served)]
    assert all(said in one["said"] for one in tries)


@pytest.mark.parametrize(
    ("mount", "user", "code", "out"),
    [("exit 0", "0", 0, TOKEN), ("echo no >&2; exit 32", "0", 40, ""), ("exit 0", "9", 3, "")],
    ids=["served", "refused at the mount", "refused at the write"],
)
def test_the_kernels_client_by_its_own_script(tmp_path, mount, user, code, out):
    """Mounts are stood in for: what is run, in which order, and how it ends is the script's own."""
    programs_of = {
        "mount": f'echo "mount $*" >>"{tmp_path}/seen"; {mount}',
        "umount": f'echo "umount $*" >>"{tmp_path}/seen"',
        "setpriv": '[ "$1" = --reuid=9 ] && exit 3; while [ "$1" != -- ]; do shift; done; shift; '
        'exec "$@"',
    }
    for name, text in programs_of.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{text}\n")
        (tmp_path / name).chmod(0o755)
    place = tmp_path / "place"
    place.mkdir()
    words = ["addr=1", "h:/srv", str(place), user, "file", TOKEN]
    done = subprocess.run(
        ["sh", "-c", agent._KERNEL, "sh", *words],
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": f"{tmp_path}:/usr/bin:/bin"},
    )
    assert (done.returncode, done.stdout) == (code, out), done.stderr
    mounted = f"mount -i -t nfs4 -o addr=1 h:/srv {place}"
    again = [mounted, f"umount {place}", mounted] if code == 0 else [mounted]
    assert (tmp_path / "seen").read_text().splitlines() == again


# What a client says, and whether a server that says it has refused: grace and hanging have not.
SAID = [
    ("mount.nfs4: access denied by server while mounting", True),
    ("mount: /run/x: Operation not permitted", True),
    ("mount_cb: NFS4: (path /srv/b) failed with NFS4ERR_NOENT(-2)", True),
    ("creat call failed with NFS4ERR_ACCESS", True),
    ("port 2049 is not reached: timed out", True),
    ("creat call failed with NFS4ERR_GRACE(-5)", False),
    ("mount: /run/x: Connection timed out", False),
    ("NFS4ERR_IO(-5)", False),
    ("", False),
]


@pytest.mark.parametrize(("said", "refused"), SAID)
def test_a_failure_is_a_refusal_only_where_the_server_refuses(said, refused):
    told = agent._told(0, False, said)
    assert told["refused"] is refused
    answers = {"staging-worker-1": {"tries": [told]}, "staging-db": {"tries": [SERVED]}}
    files = {agent.name_of(TOKEN, "staging-db", 0): [34, 34]}
    proof = shares.judged(environment(), host(Role.NFS), TOKEN, answers, files)
    assert set(proof.skipped) == (set() if refused else {"staging-worker-1"})
    assert proof.wrong == ()


def test_a_server_that_has_just_started_is_waited_for(reached, monkeypatch):
    waited: list[float] = []
    monkeypatch.setattr(agent.time, "sleep", waited.append)
    grace = iter([(10, "", "NFS4ERR_GRACE(-5)")] * 3)

    def run(command, **_):
        code, out, err = {
            "unshare": lambda: NO_KERNEL,
            "nfs-cp": lambda: next(grace, (0, "", "")),
            "nfs-cat": lambda: (0, TOKEN, ""),
        }[command[0]]()
        return subprocess.CompletedProcess(command, code, out, err)

    monkeypatch.setattr(agent, "run", run)
    assert all(one["served"] for one in agent.use(REQUEST)["tries"])
    assert len(waited) == 3


def test_a_host_without_a_client_says_so(reached, monkeypatch):
    programs(monkeypatch, unshare=NO_KERNEL)
    assert "libnfs-utils" in agent.use(REQUEST)["skipped"]


def test_a_port_that_is_closed_is_told_before_a_client_hangs_on_it(monkeypatch):
    seen = programs(monkeypatch, unshare=(0, TOKEN, ""))

    def refused(*_):
        raise ConnectionRefusedError(111, "Connection refused")

    monkeypatch.setattr(socket, "create_connection", refused)
    tries = agent.use(REQUEST)["tries"]
    assert not any(one["served"] for one in tries)
    assert "port 2049 is not reached: Connection refused" in tries[0]["said"]
    assert seen == []


@pytest.mark.parametrize(
    ("server", "source"), [("10.0.0.1", "10.0.0.1:/srv/b"), ("fd00::1", "[fd00::1]:/srv/b")]
)
def test_the_kernels_client_is_told_where_the_server_is(reached, monkeypatch, server, source):
    seen = programs(monkeypatch, unshare=(0, TOKEN, ""))
    agent.use(REQUEST | {"server": server, "users": [34]})
    ((*_, options, where, place, user, name, token),) = seen
    assert options.startswith(f"addr={server},vers=4")
    assert (where, user, name, token) == (source, "34", f".fhirstack-{TOKEN}-db-34", TOKEN)
    assert place.startswith("/run/")


def test_the_server_tells_whose_files_came_and_keeps_none_and_nothing_else_goes(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(base, "ROOT", str(tmp_path))
    place = tmp_path / "srv/b"
    place.mkdir(parents=True)
    ours, other = place / f".fhirstack-{TOKEN}-db-0", place / ".fhirstack-other-db-0"
    for file in (ours, other):
        file.write_text("x")
    found = agent.take({"path": "/srv/b", "token": TOKEN})["files"]
    assert found == {ours.name: [ours.parent.stat().st_uid, ours.parent.stat().st_gid]}
    assert [file.name for file in place.iterdir()] == [other.name]
    assert agent.take({"path": "/nowhere", "token": TOKEN}) == {"files": {}}


def test_those_who_write_backups_are_allowed_and_nobody_else():
    names = shares.allowed(environment(), host(Role.NFS))
    roles = {item.role for item in environment().hosts if item.name in names}
    assert roles == {Role.DATABASE, Role.PRIMARY}
    assert len(names) == sum(item.role in roles for item in environment().hosts)


# The host, its user, whether it was served, the file's owner on the server, and what is wrong.
USES = [
    ("staging-db", 0, True, [34, 34], ""),
    ("staging-db", 65534, True, [34, 34], ""),
    ("staging-db", 0, True, [0, 0], "belongs to 0:0, not to 34:34"),
    ("staging-db", 65534, True, [65534, 65534], "belongs to 65534:65534"),
    ("staging-db", 0, True, None, "another machine"),
    ("staging-db", 0, False, None, "is not served: because"),
    ("staging-db", 0, False, [34, 34], "is not served: because"),
    ("staging-worker-1", 0, False, None, ""),
    ("staging-worker-1", 0, True, [34, 34], "is served, and is not allowed"),
    ("staging-worker-1", 65534, False, [34, 34], "is served, and is not allowed"),
    ("staging-lb", 0, True, [34, 34], "is served, and is not allowed"),
]


@pytest.mark.parametrize(("name", "user", "served", "owner", "wrong"), USES)
def test_a_use_is_as_declared_or_told(name, user, served, owner, wrong):
    answers = {name: {"tries": [SERVED | {"user": user, "served": served, "said": "because"}]}}
    files = {agent.name_of(TOKEN, name, user): owner} if owner else {}
    proof = shares.judged(environment(), host(Role.NFS), TOKEN, answers, files)
    assert len(proof.wrong) == bool(wrong)
    assert wrong in "".join(proof.wrong)


def test_a_refusal_proves_nothing_where_nobody_is_served():
    said = {"tries": [SERVED | {"served": False, "refused": True}]}
    answers = {"staging-worker-1": said, "staging-db": UnreachableError("silent")}
    proof = shares.judged(environment(), host(Role.NFS), TOKEN, answers, {})
    assert set(proof.skipped) == {"staging-worker-1", "staging-db"}
    assert "proves nothing" in proof.skipped["staging-worker-1"]


def test_a_site_without_backups_shares_nothing():
    with pytest.raises(UsageError, match="shares no storage"):
        shares.server_of(changed(backups=None))
