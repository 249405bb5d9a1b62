"""What goes wrong on hosts and on the way: told with the host and the remedy, and completed later."""

import json
import os
import signal
import subprocess

import pytest
import yaml

from fhirstack.model.load import load_site
from fhirstack.planes.hosts.ssh import Connections
from tests.lab.conftest import ENVIRONMENT, REPOSITORY, until

pytestmark = pytest.mark.lab


@pytest.fixture(autouse=True)
def as_declared(built):
    """Each test begins and ends with hosts as they are declared."""
    yield
    until(lambda: built("apply", "--yes").code == 0, "an apply puts everything right", 300)
    assert built.drift() == {}


def begin_slow_apply(lab, host):
    """Start an apply that installs a package, and return it as soon as the host is at work."""
    lab.shell(host, "apt-get -q -y remove socat containerd >/dev/null 2>&1")
    process = subprocess.Popen(
        [str(REPOSITORY / "fhirstack"), "apply", "--yes", "-f", str(lab.site), "-e", "production",
         "--host", f"production-{host}"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=ENVIRONMENT,
        start_new_session=True,
    )  # fmt: skip
    until(
        lambda: lab.shell(host, "pgrep -x dpkg || pgrep -x apt-get || true").strip(),
        "the host installs packages",
        60,
    )
    return process


def test_a_host_key_that_changed_stops_everything(built):
    keep = "cp -a /etc/ssh/ssh_host_ed25519_key /root/kept; cp -a /etc/ssh/ssh_host_ed25519_key.pub /root/kept.pub"
    built.shell("worker-1", keep)
    built.shell(
        "worker-1",
        "rm /etc/ssh/ssh_host_*; ssh-keygen -q -t ed25519 -N '' -f /etc/ssh/ssh_host_ed25519_key;"
        " systemctl restart ssh",
    )
    close_connections(built)
    try:
        answer = built("plan")
        assert answer.code == 3, answer.text
        assert "production-worker-1" in answer.text
        assert "host key" in answer.text
        assert "trust" in answer.text
        assert "production-worker-2" not in answer.err
        refused = built("trust", "--host", "production-worker-1", "--replace", "--yes")
        assert refused.code == 1, refused.text
        assert "the site says" in refused.text
    finally:
        built.shell(
            "worker-1",
            "mv /root/kept /etc/ssh/ssh_host_ed25519_key;"
            " mv /root/kept.pub /etc/ssh/ssh_host_ed25519_key.pub; systemctl restart ssh",
        )


def close_connections(lab):
    """End the shared connections, as a minute without work does."""
    Connections(load_site(lab.site).environments["production"], lab.site).close()


def test_a_host_without_a_known_key_is_not_spoken_to_until_it_is_trusted(built, tmp_path):
    def unknown(environment):
        for host in environment["hosts"]:
            del host["host_key"]

    site = built.edited(tmp_path / "site/site.yaml", unknown)
    known = tmp_path / "site/.fhirstack/production/known_hosts"
    lines = known.read_text().splitlines(keepends=True)
    known.write_text("".join(line for line in lines if "production-db " not in line))
    answer = built("plan", site=site)
    assert answer.code == 3, answer.text
    assert "production-db: its host key is not known" in answer.text
    asked = built("trust", site=site)
    assert asked.code == 2, asked.text
    assert "--yes" in asked.err
    told = built.ok("trust", "--yes", site=site)
    assert "asked    production-db SHA256:" in told.out
    assert "known    production-nfs" in told.out
    built.ok("plan", site=site)


def test_two_hosts_with_one_machine_id_are_refused(built):
    own = built.shell("worker-2", "cat /etc/machine-id")
    twin = built.shell("worker-1", "cat /etc/machine-id")
    built.shell("worker-2", f"echo {twin.strip()} > /etc/machine-id")
    try:
        answer = built("apply", "--yes")
        assert answer.code == 3, answer.text
        assert "production-worker-1" in answer.text
        assert "production-worker-2" in answer.text
        assert "machine-id" in answer.text
    finally:
        built.shell("worker-2", f"echo {own.strip()} > /etc/machine-id")


def test_another_environment_does_not_get_the_host(built, tmp_path):
    document = yaml.safe_load(built.site.read_text())
    document["environments"]["staging"] = document["environments"].pop("production")
    document["environments"]["staging"]["kind"] = "staging"
    site = tmp_path / "site.yaml"
    site.write_text(yaml.safe_dump(document))
    answer = subprocess.run(
        [str(REPOSITORY / "fhirstack"), "apply", "--yes", "-f", str(site), "-e", "staging"],
        capture_output=True, text=True, check=False, env=ENVIRONMENT, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert answer.returncode == 3, answer.stderr
    assert "this machine is production-lb of production" in answer.stdout
    assert "nothing was changed" in answer.stderr


def test_without_sudo_the_host_and_the_remedy_are_told(built):
    built.shell("worker-3", "mv /etc/sudoers.d/fhirstack /root/kept")
    extra = built.shell("worker-3", "ls /etc/sudoers.d").split()
    assert "90-cloud" not in extra
    try:
        answer = built("plan")
        assert answer.code == 3, answer.text
        assert "production-worker-3" in answer.text
        assert "NOPASSWD" in answer.text
    finally:
        built.shell("worker-3", "mv /root/kept /etc/sudoers.d/fhirstack")


def test_a_full_disk_during_apply_leaves_what_was_there(built):
    built.shell(
        "worker-4",
        "cp -a /etc/chrony /root/kept; mount -t tmpfs -o size=16k tmpfs /etc/chrony;"
        " cp -a /root/kept/. /etc/chrony; rm /etc/chrony/chrony.conf; echo old > /etc/chrony/chrony.conf;"
        " chmod 644 /etc/chrony/chrony.conf; dd if=/dev/zero of=/etc/chrony/fill bs=4k 2>/dev/null || true",
    )
    try:
        answer = built("apply", "--yes")
        assert answer.code == 3, answer.text
        assert "production-worker-4" in answer.err
        assert "No space left" in answer.err
        assert built.shell("worker-4", "cat /etc/chrony/chrony.conf") == "old\n"
        assert "fhirstack" not in built.shell("worker-4", "ls -A /etc/chrony")
    finally:
        built.shell("worker-4", "umount /etc/chrony; systemctl restart chrony")


def test_when_the_link_is_cut_the_host_goes_on_and_the_next_apply_completes(built):
    before = len(built.records("worker-1"))
    process = begin_slow_apply(built, "worker-1")
    cut = built.site.parent / "cut"
    cut.touch()
    try:
        out, err = process.communicate(timeout=300)
    finally:
        cut.unlink()
    assert process.returncode == 3, out + err
    assert "production-worker-1" in err
    until(lambda: len(built.records("worker-1")) > before, "the host ended what it had begun", 180)
    assert built.records("worker-1")[-1]["errors"] == {}
    built.ok("apply", "--yes")


def test_a_controller_that_dies_leaves_no_lock(built):
    process = begin_slow_apply(built, "worker-2")
    busy = built("apply", "--yes", "--host", "production-worker-2")
    assert busy.code in (0, 3), busy.text
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    until(lambda: built("apply", "--yes").code == 0, "the next apply is let in", 180)


def test_a_host_that_restarts_during_apply_is_told_and_completed(built):
    process = begin_slow_apply(built, "worker-3")
    built.tool("kill", "production-worker-3")
    out, err = process.communicate(timeout=300)
    assert process.returncode == 3, out + err
    assert "production-worker-3" in err
    unreachable = built("plan", "--host", "production-worker-3")
    assert unreachable.code == 3
    built.tool("start", "production-worker-3")
    built.ok("apply", "--yes")
    assert "socat" in built.shell("worker-3", "dpkg-query -W -f '${Package} ${Status}' socat")


def test_a_saved_plan_is_refused_once_the_host_is_another(built, tmp_path):
    built.shell("nfs", "chmod 600 /etc/hosts")
    built.shell("db", "chmod 600 /etc/chrony/chrony.conf")
    saved = tmp_path / "plan.json"
    assert built("plan", "--save", str(saved)).code == 1
    built.shell("db", "chmod 640 /etc/chrony/chrony.conf")
    answer = built("apply", "--yes", "--plan", str(saved))
    assert answer.code == 1, answer.text
    assert "these changed: production-db" in answer.err
    assert json.loads(saved.read_text())["environment"] == "production"
    assert built.drift().keys() == {"production-db"}


def children(pid):
    """Return the processes of ssh that a command has started."""
    done = subprocess.run(["pgrep", "-P", str(pid), "ssh"], capture_output=True, check=False)
    return done.stdout


def test_ctrl_c_during_a_plan_changes_nothing(built):
    process = subprocess.Popen(
        [str(REPOSITORY / "fhirstack"), "plan", "-f", str(built.site), "-e", "production"],
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=ENVIRONMENT,
    )  # fmt: skip
    until(lambda: children(process.pid), "it asks the hosts", 30)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode in (0, 130), err
    built.ok("plan")
