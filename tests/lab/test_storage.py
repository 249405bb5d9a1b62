"""The NFS storage: used from every host, and served from its own disk or not at all."""

import json
from concurrent.futures import ThreadPoolExecutor

import pytest

pytestmark = pytest.mark.lab

CONFIGURATION = "/etc/ganesha/ganesha.conf"
WITHOUT_DISK = """\
[Unit]
Before=nfs-ganesha.service
[Service]
Type=oneshot
ExecStart=umount /srv/backups
[Install]
WantedBy=multi-user.target
"""
"""Stands for a disk that does not come back at a boot."""
# A server that starts lets nobody open a file for a while: here a short one.
SHORT = "s/^NFSV4 {/NFSV4 {\\n  Grace_Period = 5;\\n  Lease_Lifetime = 4;/"
# What a hand does on the NFS host, and some hosts that are not served as declared then.
BROKEN = [
    ("s/all_squash/no_root_squash/", {"db", "primary-1"}),
    ("s/^  Access_Type = NONE;/  Access_Type = RW;/", {"worker-1", "worker-4"}),
    ("s/Anonymous_Uid = 34/Anonymous_Uid = 0/", {"db", "primary-3"}),
]


@pytest.fixture(scope="module")
def clients(built):
    """Every host has an NFS client: the kernel of the lab has none."""
    names = [host.removeprefix("production-") for host in built.hosts]
    with ThreadPoolExecutor(4) as pool:
        install = "command -v nfs-cp || apt-get install -q -y libnfs-utils"
        list(pool.map(lambda name: built.shell(name, f"({install}) 2>&1"), names))
    return built


def proof(lab, code):
    answer = lab("storage", "prove", "--format", "json")
    assert answer.code == code, answer.text
    return json.loads(answer.out)


def test_each_host_is_served_or_refused_as_declared_and_what_is_broken_is_found(clients):
    found = proof(clients, 0)
    served = {one["host"].removeprefix("production-") for one in found["used"] if one["served"]}
    assert served == {"db", "primary-1", "primary-2", "primary-3"}
    assert len(found["used"]) == 2 * (len(clients.hosts) - 1)
    assert {tuple(one["owner"]) for one in found["used"] if one["served"]} == {(34, 34)}
    assert ".fhirstack" not in clients.shell("nfs", "ls -A /srv/backups/production")
    for change, hosts in BROKEN:
        edits = f"sed -i -e '{change}' -e '{SHORT}' {CONFIGURATION}"
        clients.shell("nfs", f"{edits} && systemctl restart nfs-ganesha")
        used = proof(clients, 1)["used"]
        wrong = {one["host"].removeprefix("production-") for one in used if one["wrong"]}
        assert hosts <= wrong, (change, used)
        clients.ok("apply", "--yes", "--host", "production-nfs")
    clients.shell("nfs", "systemctl stop nfs-ganesha")
    used = proof(clients, 1)["used"]
    assert {one["host"] for one in used if one["wrong"]} >= {"production-db"}
    clients.ok("apply", "--yes", "--host", "production-nfs")


def test_without_its_disk_nothing_is_made_or_shared_also_after_a_reboot(clients):
    unit = "/etc/systemd/system/lab-disk-away.service"
    clients.shell("nfs", f"cat >{unit} <<'E'\n{WITHOUT_DISK}E\nsystemctl enable --quiet {unit}")
    clients.tool("reboot", "production-nfs")
    assert clients.shell("nfs", "systemctl is-active nfs-ganesha", check=False) == "failed\n"
    found = clients.drift("--host", "production-nfs")["production-nfs"]
    named = {change["address"] for change in found}
    assert "production-nfs/storage:/srv/backups/production" in named
    answer = clients("apply", "--yes", "--host", "production-nfs")
    assert answer.code != 0
    assert "mount the external storage at /srv/backups/production" in " ".join(answer.text.split())
    assert clients.shell("nfs", "ls -A /srv/backups") == ""
    assert clients.shell("nfs", "systemctl is-active nfs-ganesha", check=False) != "active\n"
    clients.shell("nfs", f"systemctl disable --quiet lab-disk-away; rm {unit}")
    clients.tool("reboot", "production-nfs")
    clients.ok("apply", "--yes", "--host", "production-nfs")
    assert clients.drift("--host", "production-nfs") == {}
