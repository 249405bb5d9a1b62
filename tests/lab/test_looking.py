"""Who looks changes nothing, here or on hosts; what is made is made by apply; renewals go on."""

import hashlib
import json
import secrets
import shutil

import pytest

from tests.lab.conftest import ENVIRONMENT, REPOSITORY, command, until

pytestmark = pytest.mark.lab

LOOKS = {
    ("plan",): 0,
    ("plan", "--host", "production-worker-1"): 0,
    ("drift",): 0,
    ("preflight", "--format", "html"): 0,
    ("certs", "check"): 0,
    ("databases", "plan"): 0,
}
"""Of hosts that are as declared, with the exit code of each."""


def digests(place, leave=(".fhirstack", "hosts")):
    """Return every file but caches and the lab's own, with its mode and content."""
    return {
        str(path): (oct(path.stat().st_mode), hashlib.sha256(path.read_bytes()).hexdigest())
        for path in place.rglob("*")
        if path.is_file() and not {*path.relative_to(place).parts} & {*leave}
    }


def on_hosts(built, *names):
    """Return what a look might write on hosts: what lies in etc, and the agent's own state."""
    script = "find /etc /var/lib/fhirstack -xdev -type f ! -name lock -printf '%p %m %U %T@ %C@\\n'"
    return {name: built.shell(name, f"{script} | sort") for name in names}


def read_only(site, words):
    """Run a command where the site's directory cannot be written."""
    script = 'mount --bind "$0" "$0" && mount -o remount,bind,ro "$0" && exec "$@"'
    program = [str(REPOSITORY / "fhirstack"), *words, "-f", str(site), "-e", "production"]
    place = str(site.parent)
    return command("unshare", "--mount", "sh", "-c", script, place, *program, env=ENVIRONMENT)


@pytest.fixture(scope="module")
def settled(built):
    """The hosts with all that was made for them, databases and certificates too."""
    built.ok("databases", "apply", "--yes")
    until(lambda: built("certs", "check").code == 0, "every name has its certificate", 180)
    return built


def test_a_look_from_a_site_that_is_read_only_writes_nothing_anywhere(settled, tmp_path):
    site = settled.edited(tmp_path / "site/site.yaml", lambda production: None)
    shutil.rmtree(site.parent / ".fhirstack")
    here = digests(site.parent)
    there = on_hosts(settled, "db", "worker-1", "lb")
    for words, code in LOOKS.items():
        answer = read_only(site, words)
        assert answer.code == code, (words, answer.text)
    assert digests(site.parent) == here
    assert not (site.parent / ".fhirstack").exists()
    assert on_hosts(settled, "db", "worker-1", "lb") == there


def another_domain(production):
    production["domain"] = "other.lab.test"


def swapped_roles(production):
    hosts = {host["role"]: host for host in production["hosts"]}
    hosts["database"]["role"], hosts["nfs"]["role"] = "nfs", "database"


@pytest.mark.parametrize("edit", [another_domain, swapped_roles])
def test_a_look_at_an_edited_copy_touches_neither_store_nor_authority(settled, tmp_path, edit):
    site = settled.edited(tmp_path / "site/site.yaml", edit)
    before = digests(site.parent)
    # An empty database beside the one that lies on the other host is refused: a 3.
    codes = (0, 1, 3) if edit is swapped_roles else (0, 1)
    for words in (("plan",), ("drift",), ("plan", "--host", "production-db"), ("certs", "check")):
        answer = settled(*words, site=site)
        assert answer.code in codes, (words, answer.text)
    settled("databases", "plan", site=site)
    assert digests(site.parent) == before
    told = json.loads(settled("plan", "--format", "json", site=site).out)["site"]
    broken = [change for change in told if change["disrupts"]]
    if edit is swapped_roles:
        assert broken == []
        return
    (change,) = broken
    assert change["address"] == "site/authority:production"
    assert "it may not sign for fhir.other.lab.test" in change["reason"]
    assert "redis-server restarts on production-db" in change["reason"]
    refused = settled("apply", "--yes", site=site)
    assert refused.code == 2, refused.text
    assert "\n  --replace-authority production\n" in refused.err
    assert digests(site.parent) == before
    assert settled.drift() == {}


def test_a_store_that_was_left_behind_is_not_made_anew_over_hosts_that_know_it(settled, tmp_path):
    site = settled.edited(tmp_path / "site/site.yaml", lambda production: None)
    shutil.rmtree(site.parent / "secrets")
    answer = settled("apply", "--yes", "--host", "production-db", site=site)
    assert answer.code == 2, answer.text
    assert "of an authority that is not in" in " ".join(answer.err.split())
    answer = settled("databases", "apply", "--yes", site=site)
    assert answer.code == 2, answer.text
    assert "made on another machine?" in " ".join(answer.err.split())
    assert not (site.parent / "secrets").exists()
    assert settled.drift() == {}


def test_an_authority_is_replaced_with_leave_and_the_old_one_is_kept(settled):
    store = settled.site.parent / "secrets/production"
    old = (store / "tls/authority.pem").read_bytes()
    # It can go on no more: its key is of no use here.
    made = command("openssl", "genrsa", "2048").out.encode()
    certificate = old[: old.index(b"-----BEGIN PRIVATE KEY")]
    (store / "tls/authority.pem").write_bytes(certificate + made)
    words = ("apply", "--yes", "--host", "production-db", "--host", "production-lb")
    try:
        assert settled(*words).code == 2
        assert (store / "tls/authority.pem").read_bytes() == certificate + made
        settled.ok(*words, "--replace-authority", "production")
        new = (store / "tls/authority.pem").read_bytes()
        assert new not in (old, certificate + made)
        kept = {path.read_bytes() for path in (store / "replaced").iterdir()}
        assert certificate + made in kept
        assert settled.drift() == {}
    finally:
        (store / "tls/authority.pem").write_bytes(old)
        settled.ok(*words, "--replace-authority", "production")
    assert settled.drift() == {}


LEGO = "/var/lib/lego/acme.lab.test"
SOON = """\
cd {lego}/certificates
openssl req -new -key {name}.key -subj /CN={name} |
  openssl x509 -req -days 10 -signkey {name}.key -out {name}.crt 2>/dev/null
"""
RUN = "systemctl start fhirstack-acme.service"
SHUT = """\
nft add table inet shut
nft add chain inet shut in '{ type filter hook input priority 0; }'
nft add rule inet shut in tcp dport 443 reject
"""


def served(built):
    return set(built.shell("lb", "cd /etc/haproxy/certs && sha256sum *").splitlines())


def test_a_changed_contact_renews_on_and_a_renewal_that_fails_is_told(settled, tmp_path):
    contact = f"people-{secrets.token_hex(3)}@opensrp.lab.test"

    def another_contact(production):
        production["tls"]["email"] = contact

    site = settled.edited(tmp_path / "site/site.yaml", another_contact)
    lb = ("--host", "production-lb")
    before = served(settled)
    settled.ok("apply", "--yes", *lb, site=site)
    try:
        # Nothing is due, so nothing is asked for, and nothing fails.
        settled.shell("lb", RUN)
        assert served(settled) == before
        assert settled.ok("certs", "check", site=site)
        # One is due, and its authority cannot be reached: told from the first failure.
        name = sorted(path.split()[1] for path in before)[0].removesuffix(".pem")
        settled.shell("lb", SOON.format(lego=LEGO, name=name))
        settled.shell("internet", SHUT)
        assert "1" in settled.shell("lb", f"{RUN} || echo $?")
        answer = settled("certs", "check", site=site)
        assert answer.code == 1, answer.text
        assert "the renewal fails, last on" in " ".join(answer.out.split())
        named = {
            change["address"]
            for change in json.loads(settled("drift", "--format", "json", *lb, site=site).out)[
                "hosts"
            ]["production-lb"]["changes"]
        }
        assert named == {"production-lb/job:fhirstack-acme.service"}
        # It can be reached again: apply has it tried at once, with the new contact.
        settled.shell("internet", "nft delete table inet shut")
        settled.ok("apply", "--yes", *lb, site=site)
        (renewed,) = until(lambda: served(settled) - before, "it was renewed")
        assert renewed.endswith(f"{name}.pem")
        until(lambda: settled("certs", "check", site=site).code == 0, "all is well again")
        accounts = settled.shell("lb", f"ls {LEGO}/accounts/*").split()
        assert contact in accounts
    finally:
        settled.shell("internet", "nft delete table inet shut 2>/dev/null || true")
        settled.ok("apply", "--yes", *lb)
    assert settled.drift() == {}
