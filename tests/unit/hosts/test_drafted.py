"""What is yet to be made: a plan shows it, an apply makes it, and both are the same plan."""

import os

import pytest
from tests.unit.hosts.desired_site import changed, environment, host

from fhirstack.errors import UsageError
from fhirstack.model.host import Role
from fhirstack.planes.hosts import drafted as drafting
from fhirstack.planes.hosts.agent import base, files, main, record
from fhirstack.planes.hosts.resources import File
from fhirstack.planes.local.account import Account
from fhirstack.planes.plane import Action, Change

OWN = Account("me", os.geteuid(), os.getegid())
IDENTITY = {"programme": "p", "environment": "staging", "host": "staging-db"}


def drafted(directory, *roles, where=None):
    where = where or environment()
    hosts = [host(role, where) for role in roles] if roles else where.hosts
    return drafting.drafted(directory, where, hosts)


def made(found, differ=(), unseen=()):
    hosts = [Change("hosts", address, Action.UPDATE) for address in differ]
    return {change.address: change for change in drafting.changes(found, hosts, unseen)}


def test_a_first_plan_writes_nothing_and_shows_what_will_be_made(tmp_path):
    found = drafted(tmp_path)
    assert list(tmp_path.iterdir()) == []
    told = made(found)
    assert {"site/authority:staging", "site/certificate:postgresql", "site/secret:redis-admin"} <= (
        told.keys()
    )
    assert {change.action for change in told.values()} == {Action.CREATE}
    assert not any(change.disrupts for change in told.values())
    drafting.refuse_replacing("staging", told.values(), [])
    found.store.keep(OWN)
    again = drafted(tmp_path)
    assert again.store.drafts == {}
    assert not list(again.pending)
    # What apply made is what it planned the hosts with.
    for name, resources in found.desired.items():
        for one, kept in zip(resources, again.desired[name], strict=True):
            assert one.as_dict() | {"pending": False} == kept.as_dict()


@pytest.mark.parametrize(
    ("role", "addresses"),
    [
        (
            Role.DATABASE,
            {
                "file:/etc/postgresql/15/main/fhirstack.crt",
                "file:/etc/postgresql/15/main/fhirstack.key",
                "file:/etc/redis/users.acl",
                "file:/etc/redis/fhirstack.crt",
                "file:/etc/redis/fhirstack.key",
                "file:/etc/redis/ca.crt",
            },
        ),
        (
            Role.LOAD_BALANCER,
            {f"file:/etc/haproxy/certs/{name}.pem" for name in environment().dns_names.values()},
        ),
        (Role.WORKER, set()),
        (Role.NFS, set()),
    ],
)
def test_what_holds_it_is_marked_and_a_host_without_it_has_nothing_made(tmp_path, role, addresses):
    found = drafted(tmp_path, role)
    assert {resource.address for _, resource in found.pending} == addresses
    assert bool(found.store.drafts) is bool(addresses)
    assert not any(address.startswith("site/secret:") for address in made(found)) or (
        role is Role.DATABASE
    )


@pytest.fixture
def machine(tmp_path, monkeypatch):
    monkeypatch.setattr(base, "ROOT", str(tmp_path / "host"))
    monkeypatch.setattr(files, "owner_ids", lambda owner, group: (-1, -1))
    monkeypatch.setattr(files, "_name", lambda look_up, number: "root")
    monkeypatch.setattr(record, "LOCK_SECONDS", 0)
    monkeypatch.setattr(main, "say", lambda doing, confirm=False: True)
    (tmp_path / "host").mkdir()
    return tmp_path / "host"


def request(found, **rest):
    """Return a request for the files alone, without those that arm a rollback."""
    kept = [
        resource.as_dict() | {"validate": (), "owner": "root", "group": "root"}
        for resource in found.desired["staging-db"]
        if isinstance(resource, File) and not resource.guard
    ]
    return {
        "identity": IDENTITY, "who": "ada", "token": "t", "confirm_seconds": 60,
        "resources": kept, **rest,
    }  # fmt: skip


@pytest.mark.parametrize("there", [None, "/etc/redis/ca.crt", "/etc/redis/users.acl"])
def test_a_plan_that_is_saved_is_the_plan_of_the_first_apply(tmp_path, machine, there):
    if there:
        (machine / there[1:]).parent.mkdir(parents=True)
        (machine / there[1:]).write_text("of another time\n")
    site = tmp_path / "site"
    site.mkdir()
    saved = main.plan(request(drafted(site, Role.DATABASE)))
    today = drafted(site, Role.DATABASE)
    assert main.plan(request(today))["fingerprint"] == saved["fingerprint"]
    today.store.keep(OWN)
    done = main.apply(request(today, expected=saved["fingerprint"]))
    assert done.get("refused") is None
    assert done["errors"] == {}
    # What was marked is the same thing when it is not marked any more: nothing restarts for it.
    after = drafted(site, Role.DATABASE)
    assert main.plan(request(after))["changes"] == []
    digests = [
        {r.address: r.digests[r.address] for r in main.load(request(one)["resources"])}
        for one in (today, after)
    ]
    assert digests[0] == digests[1]


def test_an_edited_copy_of_the_site_is_looked_at_and_touches_nothing(tmp_path):
    drafted(tmp_path).store.keep(OWN)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    found = drafted(tmp_path, where=changed(domain="other.example.net"))
    told = made(found)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before
    change = told["site/authority:staging"]
    assert (change.action, change.disrupts) == (Action.UPDATE, True)
    for words in (
        "it may not sign for fhir.other.example.net",
        "redis-server restarts on staging-db",
        "postgresql@15-main is reloaded on staging-db",
        "clients of PostgreSQL (fhir, keycloak, ",
        "and Redis (superset)",
    ):
        assert words in change.reason
    with pytest.raises(UsageError, match="would be replaced") as refused:
        drafting.refuse_replacing("staging", told.values(), [])
    assert "--replace-authority staging" in refused.value.remedy
    drafting.refuse_replacing("staging", told.values(), ["staging"])
    with pytest.raises(UsageError, match="there is no authority production"):
        drafting.refuse_replacing("staging", told.values(), ["production"])
    # Its hosts without a certificate need no authority: nothing keeps them from being applied.
    assert made(drafted(tmp_path, Role.WORKER, where=changed(domain="other.example.net"))) == {}


@pytest.mark.parametrize(
    ("path", "replaces"),
    [
        ("/etc/redis/ca.crt", True),
        ("/etc/postgresql/15/main/fhirstack.crt", True),
        ("/etc/redis/users.acl", False),
        ("/etc/redis/redis.conf", False),
    ],
)
def test_a_store_that_was_left_behind_replaces_the_hosts_authority(tmp_path, path, replaces):
    told = made(drafted(tmp_path), [f"staging-db/file:{path}"])
    change = told["site/authority:staging"]
    assert change.disrupts is replaces
    if replaces:
        assert f"staging-db has {path} of an authority that is not in" in change.reason
        with pytest.raises(UsageError, match="would be replaced"):
            drafting.refuse_replacing("staging", told.values(), [])


def test_an_apply_with_leave_that_was_cut_off_says_what_is_left(tmp_path):
    drafted(tmp_path).store.keep(OWN)
    other = changed(domain="other.example.net")
    drafted(tmp_path, where=other).store.keep(OWN)
    told = made(drafted(tmp_path, where=other), [f"staging-db/file:{path}" for path in OWN_FILES])
    assert told["site/authority:staging"].reason.startswith(
        "staging-db still has /etc/postgresql/15/main/fhirstack.crt of the authority that was repl"
    )


def test_a_host_that_was_not_seen_may_know_another_authority(tmp_path):
    told = made(drafted(tmp_path), unseen=["staging-db"])
    assert "staging-db could not be looked at" in told["site/authority:staging"].reason
    assert told["site/authority:staging"].disrupts
    # One that has none of its certificates says nothing about it.
    assert not made(drafted(tmp_path), unseen=["staging-nfs"])["site/authority:staging"].disrupts
    drafted(tmp_path).store.keep(OWN)
    assert made(drafted(tmp_path), unseen=["staging-db"]) == {}


OWN_FILES = [
    "/etc/postgresql/15/main/fhirstack.crt",
    "/etc/redis/fhirstack.crt",
    "/etc/redis/ca.crt",
]


@pytest.mark.parametrize(
    ("paths", "replaces"),
    [
        # A store that was made anew for other hosts first: the database host knows another.
        (OWN_FILES, True),
        # What hands change, and certificates that were renewed.
        (OWN_FILES[2:], False),
        (OWN_FILES[:2], False),
        ([*OWN_FILES[:1], "/etc/redis/users.acl"], False),
    ],
)
def test_hosts_that_know_another_authority_need_leave_too(tmp_path, paths, replaces):
    drafted(tmp_path, Role.LOAD_BALANCER).store.keep(OWN)
    drafted(tmp_path).store.keep(OWN)
    found = drafted(tmp_path)
    assert found.store.drafts == {}
    told = made(found, [f"staging-db/file:{path}" for path in paths])
    assert bool(told) is replaces
    if replaces:
        assert "redis-server restarts on staging-db" in told["site/authority:staging"].reason
        with pytest.raises(UsageError, match="would be replaced"):
            drafting.refuse_replacing("staging", told.values(), [])
