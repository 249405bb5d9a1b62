"""What is rendered, judged by the programs that read it, where they are installed."""

import datetime
import os
import pwd
import shutil
import subprocess
from pathlib import Path

import pytest
from tests.unit.hosts.desired_site import environment, host, inputs, resources, text

from fhirstack.certificates import make_authority, make_certificate
from fhirstack.model.host import Role
from fhirstack.planes.hosts.desired import Certificate, Inputs
from fhirstack.planes.hosts.desired.haproxy import haproxy
from fhirstack.secret import Secret

_PATH = f"{os.environ['PATH']}:/usr/sbin:/usr/local/sbin"
_POSTGRES = Path("/usr/lib/postgresql/15/bin/postgres")


def _program(name):
    found = shutil.which(name, path=_PATH)
    if found is None:
        pytest.skip(f"{name} is not installed")
    return found


def _judge(*command):
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr + done.stdout
    return done.stderr + done.stdout


def _written(directory, role, path, name="file"):
    place = directory / name
    place.write_text(text(resources(role), path))
    return place


def test_haproxy(tmp_path):
    program = _program("haproxy")
    now = datetime.datetime.now(datetime.UTC)
    authority = make_authority(environment().domain, now)
    made = {}
    for purpose in inputs().certificates:
        if purpose.startswith("edge/"):
            pair = make_certificate(authority, purpose.removeprefix("edge/"), now)
            made[purpose] = Certificate(pair.public.decode(), Secret(pair.private.decode()))
    found = haproxy(environment(), host(Role.LOAD_BALANCER), Inputs(certificates=made))
    files = {item.path: item.content for item in found if item.kind == "file"}
    for path, content in files.items():
        if path.startswith("/etc/haproxy/certs/"):
            (tmp_path / Path(path).name).write_text(content)
    configuration = tmp_path / "haproxy.cfg"
    content = files["/etc/haproxy/haproxy.cfg"].replace("/etc/haproxy/certs", f"{tmp_path}/certs")
    (tmp_path / "certs").mkdir()
    for pem in tmp_path.glob("*.pem"):
        pem.rename(tmp_path / "certs" / pem.name)
    try:
        pwd.getpwnam("haproxy")
    except KeyError:
        content = content.replace("user haproxy", "").replace("group haproxy", "")
    configuration.write_text(content)
    assert "WARNING" not in _judge(program, "-c", "-f", str(configuration))


def test_sshd(tmp_path):
    program = _program("sshd")
    try:
        pwd.getpwnam("sshd")
    except KeyError:
        pytest.skip("there is no account sshd")
    key = tmp_path / "key"
    _judge(_program("ssh-keygen"), "-q", "-t", "ed25519", "-N", "", "-f", str(key))
    Path("/run/sshd").mkdir(exist_ok=True)
    for role in (Role.LOAD_BALANCER, Role.DATABASE):
        place = _written(tmp_path, role, "/etc/ssh/sshd_config")
        _judge(program, "-t", "-f", str(place), "-h", str(key))


@pytest.mark.parametrize(
    ("path", "command"),
    [
        ("/etc/sudoers.d/fhirstack", ("visudo", "-c", "-f")),
        ("/etc/chrony/chrony.conf", ("chronyd", "-p", "-f")),
        ("/etc/rsyslog.d/40-fhirstack.conf", ("rsyslogd", "-N1", "-f")),
        ("/etc/needrestart/conf.d/60-fhirstack.conf", ("perl", "-c")),
    ],
)
def test_files_of_every_host(tmp_path, path, command):
    place = _written(tmp_path, Role.NFS, path)
    _judge(_program(command[0]), *command[1:], str(place))


@pytest.mark.parametrize("name", ["20auto-upgrades", "52fhirstack"])
def test_apt(tmp_path, name):
    place = _written(tmp_path, Role.NFS, f"/etc/apt/apt.conf.d/{name}")
    _judge(_program("apt-config"), "-c", str(place), "dump")


def test_containerd(tmp_path):
    place = _written(tmp_path, Role.WORKER, "/etc/containerd/config.toml")
    assert "SystemdCgroup = true" in _judge(
        _program("containerd"), "--config", str(place), "config", "dump"
    )


@pytest.mark.skipif(not _POSTGRES.exists(), reason="PostgreSQL 15 is not installed")
@pytest.mark.skipif(os.geteuid() != 0, reason="runuser needs root")
def test_postgresql(tmp_path):
    place = _written(tmp_path, Role.DATABASE, "/etc/postgresql/15/main/postgresql.conf")
    for directory in (tmp_path, *list(tmp_path.parents)[:2]):
        directory.chmod(directory.stat().st_mode | 0o711)
    command = ["runuser", "-u", "postgres", "--", str(_POSTGRES), "-C", "shared_buffers"]
    found = _judge(*command, "-D", str(tmp_path), f"--config-file={place}")
    assert found.strip() == str(1430 * 128)


def test_redis(tmp_path):
    program = _program("redis-server")
    now = datetime.datetime.now(datetime.UTC)
    authority = make_authority("x.internal", now)
    pair = make_certificate(authority, "db.x.internal", now)
    for name, content in (
        ("fhirstack.crt", pair.public),
        ("fhirstack.key", pair.private),
        ("ca.crt", authority.public),
    ):
        (tmp_path / name).write_bytes(content)
    users = text(resources(Role.DATABASE), "/etc/redis/users.acl")
    (tmp_path / "users.acl").write_text(users)
    content = text(resources(Role.DATABASE), "/etc/redis/redis.conf")
    content = content.replace("/etc/redis/", f"{tmp_path}/").replace(
        "/var/lib/redis", str(tmp_path)
    )
    content = content.replace("/run/redis/", f"{tmp_path}/").replace(" 10.10.0.51 fd00:10::51", "")
    content = content.replace("supervised systemd", "supervised no")
    content = content.replace("tls-port 6379", "tls-port 0")
    content += f"unixsocket {tmp_path}/socket\n"
    (tmp_path / "redis.conf").write_text(content)
    with subprocess.Popen(
        [program, str(tmp_path / "redis.conf")], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        lines = []
        for line in process.stdout:
            lines.append(line)
            if "ready to accept connections" in line:
                break
        process.terminate()
    assert "ready to accept connections" in lines[-1], "".join(lines)
