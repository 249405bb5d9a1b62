"""Data that an earlier role left on a host: told there, and no empty PostgreSQL beside them."""

import json
import os
from dataclasses import replace

import pytest

from fhirstack.cli.opened import Opened
from fhirstack.errors import UnreachableError
from fhirstack.model.host import Role
from fhirstack.planes.hosts import left, plane
from fhirstack.planes.hosts.agent import base, mounts
from fhirstack.planes.hosts.agent.left import LeftData
from fhirstack.planes.hosts.desired.left import left_on
from fhirstack.planes.plane import Action, Change

from tests.unit.hosts.desired_site import changed  # isort: skip

IDENTITY = {"programme": "p", "environment": "production", "host": "nfs"}
OURS = {"programme": "p", "environment": "production"}
DATA = "var/lib/postgresql/17/main"
ROOT = mounts.Mounted("1 0 8:1 / / rw - ext4 /dev/sda1 rw")
NFS = mounts.Mounted("2 1 0:50 / /srv/backups rw - nfs4 nfs:/srv/backups rw")


@pytest.fixture
def host(tmp_path, monkeypatch):
    monkeypatch.setattr(base, "ROOT", str(tmp_path))
    monkeypatch.setattr("fhirstack.planes.hosts.agent.left.holders", lambda path: [ROOT])
    return tmp_path


def told(postgresql=True, directories=()):
    """Return what is told of data here, as place and reason."""
    spec = {"postgresql": postgresql, "directories": directories, "uid": os.getuid()}
    resource = LeftData({"address": "left-data", **spec})
    resource.identity = IDENTITY
    changes = resource.plan()
    assert {change.action for change in changes} <= {"report"}
    return [(change.before, change.reason) for change in changes]


def cluster(host, mark=OURS, name="17/main", *, holds=True):
    """Make the files of a cluster that tell whose it is, and whether it holds anything."""
    data = host / "var/lib/postgresql" / name
    (data / "base" / ("16385" if holds else "5")).mkdir(parents=True)
    (data / "PG_VERSION").write_text("17\n")
    if mark is not None:
        (data / "fhirstack.json").write_text(json.dumps(mark))
    return data


def test_databases_of_an_earlier_role_are_told_with_the_remedy(host):
    cluster(host)
    ((place, reason),) = told()
    assert place == f"/{DATA}"
    assert "stay behind here" in reason
    assert "pg_dropcluster --stop 17 main" in reason
    assert "runs" not in reason
    (host / DATA / "postmaster.pid").write_text("1\n")
    assert "on a server that runs" in told()[0][1]


def test_a_cluster_of_an_earlier_release_is_known_by_its_configuration(host):
    cluster(host, mark=None)
    assert told() == []
    settings = host / "etc/postgresql/17/main/postgresql.conf"
    settings.parent.mkdir(parents=True)
    settings.write_text("cluster_name = 'production'\nssl_cert_file = '/x/fhirstack.crt'\n")
    assert [place for place, _ in told()] == [f"/{DATA}"]


@pytest.mark.parametrize(
    "made",
    [
        lambda host: None,
        lambda host: cluster(host, {**OURS, "environment": "staging"}),
        lambda host: cluster(host, mark=None),
        lambda host: cluster(host, holds=False),
    ],
    ids=["nothing", "another's", "nobody's", "empty"],
)
def test_what_is_none_of_the_environments_data_is_not_told(host, made):
    made(host)
    assert told() == []


def test_the_database_host_is_asked_for_none(host):
    cluster(host)
    assert told(postgresql=False) == []


def test_backups_that_lie_here_are_told_and_those_that_are_mounted_are_not(host, monkeypatch):
    backups = host / "srv/backups"
    backups.mkdir(parents=True)
    (backups / "lost+found").mkdir()
    assert told(directories=("/srv/backups",)) == []
    (backups / "base.tar").write_text("x")
    ((place, reason),) = told(directories=("/srv/backups",))
    assert (place, "backups stay behind" in reason) == ("/srv/backups", True)
    monkeypatch.setattr("fhirstack.planes.hosts.agent.left.holders", lambda path: [ROOT, NFS])
    assert told(directories=("/srv/backups",)) == []


def test_each_role_is_asked_for_what_is_not_its_own():
    site = changed(backups={"path": "/srv/backups"})
    asked = {
        role: left_on(site, next(iter(site.hosts_of(role))))
        for role in (Role.DATABASE, Role.NFS, Role.WORKER)
    }
    assert [one.postgresql for one in asked.values()] == [False, True, True]
    assert [bool(one.directories) for one in asked.values()] == [True, False, True]
    bare = changed(backups=None)
    assert not left_on(bare, bare.hosts[0]).directories


def plans(**changes):
    """Return plans of hosts, each with changes as address, action and what was there."""
    return {
        name: plane.HostPlan(
            name,
            tuple(
                Change("hosts", f"{name}/{address}", action, before=before)
                for address, action, before in some
            ),
            "f",
            name,
        )
        for name, some in changes.items()
    }


CREATED = ("postgresql-cluster:17/main", Action.CREATE, None)
LEFT = ("left-data", Action.REPORT, f"/{DATA}")


@pytest.mark.parametrize(
    ("found", "refused"),
    [
        (plans(db=[CREATED], nfs=[LEFT]), {"db"}),
        (plans(db=[CREATED], worker=[LEFT], nfs=[LEFT]), {"db"}),
        (plans(db=[CREATED], nfs=[("left-data", Action.REPORT, "/srv/backups")]), set()),
        (plans(db=[CREATED], nfs=[]), set()),
        (plans(db=[("postgresql-cluster:17/main", Action.UPDATE, None)], nfs=[LEFT]), set()),
        (plans(db=[], nfs=[LEFT]), set()),
    ],
)
def test_no_empty_postgresql_begins_beside_data_left_elsewhere(found, refused):
    errors = left.refused(left.begins_empty(found), found)
    assert errors.keys() == refused
    for error in errors.values():
        assert f"/{DATA}" in error.what
        assert left.OPTION in str(error)


def test_what_the_site_accepts_is_still_no_leave_to_begin_empty():
    found = plans(db=[CREATED], nfs=[LEFT])
    (told,) = found["nfs"].changes
    found["nfs"] = replace(found["nfs"], changes=(), accepted=((told, "they may go"),))
    assert left.refused(["db"], found).keys() == {"db"}


@pytest.mark.parametrize(
    ("leave", "reached", "refused"),
    [(False, True, True), (True, True, False), (False, False, False)],
    ids=["refused", "with leave", "cannot be asked"],
)
def test_hosts_that_were_not_chosen_are_asked_for_data_too(leave, reached, refused):
    site = changed(backups=None)
    ((db,), (nfs,)) = site.hosts_of(Role.DATABASE), site.hosts_of(Role.NFS)
    opened = Opened.__new__(Opened)
    opened.environment, opened.leave_data = site, leave
    asked = []

    def look(desired):
        asked.extend(desired)
        assert all([one.kind for one in some] == ["left-data"] for some in desired.values())
        if not reached:
            return plane.Plan({}, {name: UnreachableError("cut") for name in desired})
        return plane.Plan(plans(**{name: [LEFT] if name == nfs.name else [] for name in desired}))

    opened._look = look
    found = opened._refused(plane.Plan(plans(**{db.name: [CREATED]})))
    assert (db.name in found.errors, db.name in found.hosts) == (refused, not refused)
    assert set(asked) == (set() if leave else {host.name for host in site.hosts} - {db.name})
