"""Hosts that come and go: who is let through to a new one, and what an old one keeps."""

import pytest

from tests.lab.test_bad_days import close_connections

pytestmark = pytest.mark.lab

NEW = "production-worker-4"


def test_a_new_host_comes_after_the_load_balancer_which_did_not_know_it(built, tmp_path):
    def without(environment):
        environment["hosts"] = [host for host in environment["hosts"] if host["name"] != NEW]

    smaller = built.edited(tmp_path / "site/site.yaml", without)
    built.ok("apply", "--yes", "--host", "production-lb", site=smaller)
    # A connection that was made before goes on by the old rules.
    close_connections(built)
    planned = built("plan")
    assert planned.code == 1, planned.text
    assert f"{NEW}: after the load balancer" in planned.out
    assert "1 come later" in planned.out
    alone = built("plan", "--host", NEW)
    assert alone.code == 3, alone.text
    assert "unknown there until the load balancer is applied" in " ".join(alone.text.split())
    built.shell("worker-4", "echo '# by hand' >> /etc/hosts; chmod 600 /etc/hosts")
    applied = built("apply", "--yes", "--host", "production-lb", "--host", NEW)
    assert applied.code == 0, applied.text
    assert built.drift() == {}


def test_a_host_that_is_retired_keeps_no_secret_and_lets_nobody_in(built):
    name, host = "production-worker-3", "worker-3"
    told = built("hosts", "retire", name)
    assert told.code == 2, told.text
    assert "containerd" in told.out
    built.ok("plan", "--host", name)
    done = built.ok("hosts", "retire", name, "--yes")
    assert "is retired" in done.err
    shut = built("plan", "--host", name)
    assert shut.code == 3, shut.text
    assert "lets nobody in" in " ".join(shut.text.split())
    assert built.shell(host, "ls /etc/ssh/authorized_keys.d; ls ~fhirstack/.ssh") == ""
    assert "inactive" in built.shell(host, "systemctl is-active containerd || true")
    note = built.site.parent / f".fhirstack/production/retired/{name}.json"
    assert '"errors": {}' in note.read_text()
    # Its way back is that of a new machine: the account with its key, as a provider gives it.
    key = (built.site.parent / "id_ed25519.pub").read_text().strip()
    built.shell(
        host,
        f'cd ~fhirstack; echo "{key}" > .ssh/authorized_keys; chmod 600 .ssh/authorized_keys;'
        " chown -R fhirstack: .ssh",
    )
    built.ok("apply", "--yes", "--host", name)
    assert built.drift() == {}


def test_roles_that_are_swapped_make_no_empty_database_and_what_stays_behind_is_told(
    built, tmp_path
):
    def swap(environment):
        roles = {"production-db": "nfs", "production-nfs": "database"}
        for host in environment["hosts"]:
            host["role"] = roles.get(host["name"], host["role"])

    swapped = built.edited(tmp_path / "site/site.yaml", swap)
    built.shell("db", "runuser -u postgres -- psql -qc 'CREATE DATABASE left_behind'")
    try:
        for chosen in ([], ["--host", "production-db"]):
            planned = built("plan", "--host", "production-nfs", *chosen, site=swapped)
            text = " ".join(planned.text.split())
            assert planned.code == 3, planned.text
            assert "production-nfs: an empty PostgreSQL would be made here" in text
            assert "stay behind on production-db: /var/lib/postgresql/" in text
            assert ("stay behind here. Take them along" in text) == bool(chosen)
    finally:
        built.shell("db", "runuser -u postgres -- psql -qc 'DROP DATABASE left_behind'")
    assert built.drift("--host", "production-db", "--host", "production-nfs") == {}


def test_a_host_whose_mark_is_taken_away_is_told_and_no_other_environment_takes_it(built, tmp_path):
    name = "production-nfs"
    built.shell("nfs", "rm /var/lib/fhirstack/host.json")
    found = built.drift("--host", name)
    assert [change["address"] for change in found[name]] == [f"{name}/mark"]
    other = built.edited(tmp_path / "site/site.yaml", lambda environment: None)
    other.write_text(other.read_text().replace("programme: ", "programme: other-", 1))
    refused = built("apply", "--yes", "--host", name, site=other)
    assert refused.code == 3, refused.text
    assert "this machine is production-nfs of production" in " ".join(refused.text.split())
    built.ok("apply", "--yes", "--host", name)
    assert built.drift("--host", name) == {}
