"""The desired state of hosts as a whole: what each role has, in which order, without accidents."""

import json
import shlex
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from tests.unit.hosts.desired_site import (
    changed,
    environment,
    file,
    host,
    inputs,
    resources,
    text,
)

from fhirstack.errors import UsageError
from fhirstack.model.host import OperatingSystem, Role
from fhirstack.page.database import budget, with_replicas
from fhirstack.planes.hosts.desired import desired
from fhirstack.planes.hosts.desired.inputs import Certificate, edge_purpose
from fhirstack.planes.hosts.desired.nfs import on_its_disk
from fhirstack.planes.hosts.desired.order import waves
from fhirstack.planes.hosts.resources import File, Service
from fhirstack.secret import Secret
from fhirstack.services import catalogue, warehouse
from fhirstack.services.postgresql import RESERVED_CONNECTIONS

PACKAGES = {
    Role.LOAD_BALANCER: {"haproxy", "lego"},
    Role.PRIMARY: {"containerd", "nfs-common"},
    Role.WORKER: {"containerd", "nfs-common"},
    Role.ANALYTICS: {"containerd", "nfs-common"},
    Role.DATABASE: {"postgresql-15", "redis-server"},
    Role.NFS: {"nfs-kernel-server"},
}
EVERYWHERE = {"openssh-server", "sudo", "nftables", "chrony", "rsyslog", "unattended-upgrades"}


@pytest.mark.parametrize("role", list(Role))
def test_what_a_role_has(role):
    found = {a.partition(":")[2] for a in resources(role) if a.startswith("package:")}
    assert found >= PACKAGES[role] | EVERYWHERE
    others = set().union(*PACKAGES.values()) - PACKAGES[role]
    assert not found & others


@pytest.mark.parametrize("role", list(Role))
def test_every_address_stands_once_and_what_is_watched_comes_before(role):
    found = desired(environment(), host(role), inputs())
    seen = set()
    for item in found:
        assert item.address not in seen
        if isinstance(item, Service):
            assert {*item.watch, *item.reload_watch} <= seen, item.address
        seen.add(item.address)
    json.dumps([item.as_dict() for item in found])


@pytest.mark.parametrize("role", list(Role))
def test_it_is_the_same_each_time(role):
    again = changed()
    assert desired(again, host(role, again), inputs()) == desired(
        environment(), host(role), inputs()
    )


@pytest.mark.parametrize("role", list(Role))
def test_secrets_are_in_secret_files_only(role):
    for item in desired(environment(), host(role), inputs()):
        if "SECRET-" in json.dumps(item.as_dict()):
            assert isinstance(item, File)
            assert item.secret
            assert item.mode in {"0600", "0640"}


def test_an_unknown_release_is_an_error():
    system = OperatingSystem(name="debian", version="9")
    with pytest.raises(UsageError, match="debian 9"):
        resources(Role.DATABASE, environment(system))


@pytest.mark.parametrize(
    ("name", "version", "package"),
    [("ubuntu", "24.04", "postgresql-16"), ("ubuntu", "26.04", "postgresql-18")],
)
def test_releases_of_ubuntu(name, version, package):
    found = resources(Role.DATABASE, environment(OperatingSystem(name=name, version=version)))
    assert f"package:{package}" in found


def test_waves_hold_every_host_once_and_state_comes_first():
    found = waves(environment())
    names = [name for wave in found for name in wave]
    assert sorted(names) == sorted(item.name for item in environment().hosts)
    assert found[0] == ("staging-nfs", "staging-db")
    assert found[1] == ("staging-lb",)


def test_names_of_all_hosts_in_both_families():
    block = resources(Role.WORKER)["block:/etc/hosts"].content
    assert "10.10.0.51 staging-db.staging.internal staging-db\n" in block
    assert "fd00:10::51 staging-db.staging.internal staging-db\n" in block
    assert "10.10.0.10 api.staging.internal\n" in block


def test_cluster_nodes_leave_the_reverse_path_to_cilium():
    for role, value in ((Role.WORKER, "0"), (Role.DATABASE, "2")):
        values = resources(role)["sysctl:60-fhirstack"].values
        assert values["net.ipv4.conf.all.rp_filter"] == value


def test_time_comes_from_the_sites_servers():
    assert "server 10.0.0.3 iburst\n" in text(resources(Role.NFS), "/etc/chrony/chrony.conf")
    network = environment().network.model_dump() | {"time_servers": []}
    found = text(resources(Role.NFS, changed(network=network)), "/etc/chrony/chrony.conf")
    assert found.startswith("pool 2.debian.pool.ntp.org iburst")


def test_a_cluster_runs_several_processes_of_a_service():
    plain = {d.name: d for d in catalogue.databases(environment())}
    found = {d.name: d for d in with_replicas(plain.values())}
    assert found["fhir"].pool == 2 * plain["fhir"].pool
    dashboard = {login.role: login.pool for login in plain["warehouse"].logins}
    several = {login.role: login.pool for login in found["warehouse"].logins}
    assert {role for role in dashboard if several[role] != dashboard[role]} == {warehouse.DASHBOARD}
    # As many as the server is set up for.
    asked = sum(login.pool for d in found.values() for login in d.every_login)
    assert budget(environment()).asked == asked + RESERVED_CONNECTIONS


def test_logs_wait_on_the_disk_for_monitoring():
    path = "/etc/rsyslog.d/40-fhirstack.conf"
    found = text(resources(Role.NFS), path)
    assert 'target="graylog.monitoring.example.net" port="12201" protocol="tcp"' in found
    assert 'queue.filename="fhirstack_monitoring"' in found
    assert file(resources(Role.NFS, changed(monitoring={})), path).content is None


def test_logs_travel_by_tls_to_whom_the_name_belongs():
    path, own = (f"/etc/rsyslog.d/40-fhirstack.{kind}" for kind in ("conf", "pem"))
    by_system = resources(Role.NFS)
    assert 'StreamDriverMode="1" StreamDriverAuthMode="x509/name"' in text(by_system, path)
    assert 'Peers="graylog.monitoring.example.net"' in text(by_system, path)
    assert 'CAFile="/etc/ssl/certs/ca-certificates.crt"' in text(by_system, path)
    assert {"package:ca-certificates", "package:rsyslog-openssl"} <= by_system.keys()
    assert file(by_system, own).content is None
    where = changed(monitoring={"graylog": "graylog.example.net"})
    theirs = replace(inputs(), monitoring_authority="THEIRS")
    known = {item.address: item for item in desired(where, host(Role.NFS), theirs)}
    assert f'CAFile="{own}"' in text(known, path)
    assert text(known, own) == "THEIRS"
    assert f"file:{own}" in known["service:rsyslog"].watch
    where = changed(monitoring={"graylog": "graylog.example.net", "graylog_tls": False})
    plain = {item.address: item for item in desired(where, host(Role.NFS), theirs)}
    assert "StreamDriver" not in text(plain, path)
    assert file(plain, own).content is None
    assert "package:rsyslog-openssl" not in plain


def test_postgresql_has_the_budget_and_knows_only_the_matrix():
    found = resources(Role.DATABASE)
    place = "/etc/postgresql/15/main"
    settings = found["postgresql-settings:15/main"].settings
    assert settings["max_connections"] == "150"
    assert settings["shared_buffers"] == "1430MB"
    assert settings["listen_addresses"] == "localhost,10.10.0.51,fd00:10::51"
    rules = text(found, f"{place}/pg_hba.conf").splitlines()
    assert rules[0] == "local all postgres peer"
    assert rules[-2:] == ["local all all reject", "host all all all reject"]
    middle = [line.split() for line in rules[1:-2]]
    assert {line[0] for line in middle} == {"hostssl"}
    assert {line[4] for line in middle} == {"scram-sha-256"}
    clients = {line[3] for line in middle}
    nodes = [h for h in environment().hosts if h.role in {Role.PRIMARY, Role.WORKER}]
    nodes += environment().hosts_of(Role.ANALYTICS)
    assert clients == {f"{h.address}/32" for h in nodes} | {f"{h.address6}/128" for h in nodes}
    service = found["service:postgresql@15-main"]
    assert f"file:{place}/postgresql.conf" in service.watch
    assert f"file:{place}/pg_hba.conf" in service.reload_watch


def test_redis_speaks_tls_to_known_users_alone():
    found = resources(Role.DATABASE)
    lines = text(found, "/etc/redis/redis.conf").splitlines()
    assert {"port 0", "tls-port 6379", "maxmemory 715mb"} <= set(lines)
    assert "bind 127.0.0.1 10.10.0.51 fd00:10::51" in lines
    users = file(found, "/etc/redis/users.acl")
    assert users.secret
    assert "SECRET-" not in (users.content or "")


def test_nfs_is_for_those_who_write_backups():
    line = text(resources(Role.NFS), "/etc/exports")
    assert line.startswith("/srv/backups/staging 10.10.0.21(rw,sync,no_subtree_check,all_squash,")
    clients = [word.partition("(")[0] for word in line.split()[1:]]
    assert "10.10.0.51" in clients
    assert "fd00:10::51" in clients
    assert "10.10.0.31" not in clients
    assert "*" not in line
    assert "service:rpcbind.socket" in resources(Role.NFS)


def test_ganesha_in_place_of_the_kernels():
    found = resources(Role.NFS, changed(storage={"server": "ganesha"}))
    assert "package:nfs-kernel-server" not in found
    configuration = text(found, "/etc/ganesha/ganesha.conf")
    assert configuration.count("CLIENT {") == 8
    assert "Access_Type = NONE;" in configuration
    assert configuration.count("{") == configuration.count("}")


@pytest.mark.parametrize("server", ["kernel", "ganesha"])
def test_a_server_of_backups_waits_for_its_disk_and_makes_nothing_in_its_place(server):
    found = resources(Role.NFS, changed(storage={"server": server}))
    unit = {"kernel": "nfs-server", "ganesha": "nfs-ganesha"}[server]
    guard = text(found, f"/etc/systemd/system/{unit}.service.d/60-fhirstack-disk.conf")
    assert 'RequiresMountsFor="/srv/backups/staging"' in guard
    path = "storage:/srv/backups/staging"
    assert found[path].services == (unit,)
    assert {path, f"file:/etc/systemd/system/{unit}.service.d/60-fhirstack-disk.conf"} <= set(
        found[f"service:{unit}"].watch
    )
    assert path in found["directory:/srv/backups/staging"].needs
    order = list(found)
    assert order.index(path) < order.index("directory:/srv/backups/staging")


def test_a_disk_that_is_named_is_the_one_that_counts():
    found = resources(Role.NFS, changed(storage={"mount": "/srv/backups"}))
    guard = text(found, "/etc/systemd/system/nfs-server.service.d/60-fhirstack-disk.conf")
    assert """'mountpoint -q "$$1" || exit 255' sh "/srv/backups"\n""" in guard
    assert ",mp=/srv/backups)" in text(found, "/etc/exports")
    assert found["storage:/srv/backups/staging"].mount == "/srv/backups"


def test_a_host_without_external_storage_keeps_backups_where_it_can():
    hosts = [item.model_dump() | {"external_storage": None} for item in environment().hosts]
    found = resources(Role.NFS, changed(hosts=hosts))
    assert "directory:/srv/backups/staging" in found
    assert not [address for address in found if address.startswith("storage:")]


@pytest.mark.parametrize(
    ("path", "there", "code"),
    [("/proc", True, 0), ("/nowhere at all", False, 255), ("/", True, 255), ("/etc", True, 255)],
)
def test_the_guard_of_a_unit_lets_it_start_on_another_disk_alone(path, there, code):
    guard = on_its_disk(path, None, "x")[0].content
    line = next(line for line in guard.splitlines() if line.startswith("ExecCondition="))
    command = line.partition("=")[2].replace("%%", "%").replace("$$", "$")
    assert Path(path).exists() is there
    done = subprocess.run(shlex.split(command), capture_output=True, check=False)
    assert done.returncode == code


def test_the_edge_serves_each_worker_and_the_api():
    found = resources(Role.LOAD_BALANCER)
    text_ = text(found, "/etc/haproxy/haproxy.cfg")
    for number in (31, 32, 33, 34):
        assert f"10.10.0.{number}:30080 check\n" in text_
    assert "bind [::]:443 v6only ssl crt /etc/haproxy/certs" in text_
    assert "bind 10.10.0.10:6443\n" in text_
    assert "bind [fd00:10::10]:6443\n" in text_
    assert text_.count("check-ssl") == 3
    names = {a.rpartition("/")[2] for a in found if a.startswith("file:/etc/haproxy/certs/")}
    assert names == {f"{name}.pem" for name in environment().dns_names.values()}
    assert set(found["directory:/etc/haproxy/certs"].keep) == names


def test_nodes_have_what_the_kubelet_wants():
    found = resources(Role.PRIMARY)
    assert {"swap", "module:overlay", "module:br_netfilter", "service:containerd"} <= set(found)
    assert "SystemdCgroup = true" in text(found, "/etc/containerd/config.toml")


ACME = {
    "script": "/usr/local/sbin/fhirstack-acme",
    "service": "/etc/systemd/system/fhirstack-acme.service",
    "timer": "/etc/systemd/system/fhirstack-acme.timer",
    "authority": "/etc/ssl/fhirstack-acme.pem",
}


def test_lets_encrypts_certificates_are_fetched_on_the_load_balancer():
    found = resources(Role.LOAD_BALANCER)
    script = text(found, ACME["script"])
    subprocess.run(["sh", "-n"], input=script.encode(), check=True)
    for name in environment().dns_names.values():
        assert f" {name}" in script
        # The first stands in until lego writes another.
        assert file(found, f"/etc/haproxy/certs/{name}.pem").initial
    assert "--server https://acme-v02.api.letsencrypt.org/directory" in script
    assert f"--email hostmaster@{environment().domain}" in script
    assert file(found, ACME["authority"]).content is None
    assert "LEGO_CA_CERTIFICATES" not in text(found, ACME["service"])
    configuration = text(found, "/etc/haproxy/haproxy.cfg")
    assert "use_backend acme if challenge" in configuration
    assert "server lego 127.0.0.1:8402" in configuration
    assert found["service:fhirstack-acme.timer"].running


def test_another_acme_server_is_asked_with_its_own_authority():
    tls = {
        "issuer": "letsencrypt",
        "email": "ops@example.org",
        "acme_server": "https://ca.example.org:9000/acme/dir",
    }
    where = changed(tls=tls)
    known = replace(inputs(), acme_authority="THEIRS")
    found = {item.address: item for item in desired(where, host(Role.LOAD_BALANCER), known)}
    script = text(found, ACME["script"])
    assert "--server https://ca.example.org:9000/acme/dir --email ops@example.org" in script
    # What came from one server is not taken for what another gave.
    assert "--path /var/lib/lego/ca.example.org_9000" in script
    assert text(found, ACME["authority"]) == "THEIRS"
    assert f"LEGO_CA_CERTIFICATES={ACME['authority']}" in text(found, ACME["service"])


def test_certificates_of_ones_own_leave_nothing_of_acme():
    found = resources(
        Role.LOAD_BALANCER, changed(tls={"issuer": "provided", "directory": "certificates"})
    )
    assert {file(found, path).content for path in ACME.values()} == {None}
    timer = found["service:fhirstack-acme.timer"]
    assert not timer.running
    assert list(found).index(timer.address) < list(found).index(f"file:{ACME['timer']}")
    assert "acme" not in text(found, "/etc/haproxy/haproxy.cfg")


def test_a_stand_in_takes_no_certificates_place():
    first, *others = sorted(environment().dns_names.values())
    theirs = {edge_purpose(first): Certificate("THEIRS\n", Secret("KEY\n"))}
    known = replace(inputs(), certificates={**inputs().certificates, **theirs})
    where = changed(tls={"issuer": "provided", "directory": "certificates"})
    found = {item.address: item for item in desired(where, host(Role.LOAD_BALANCER), known)}
    assert not file(found, f"/etc/haproxy/certs/{first}.pem").initial
    assert all(file(found, f"/etc/haproxy/certs/{name}.pem").initial for name in others)
