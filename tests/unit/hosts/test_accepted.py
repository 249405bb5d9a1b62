"""What the site accepts of what hosts report: not told; never a difference; never in vain."""

import json

import pytest
from tests.unit.hosts.desired_site import host

from fhirstack.cli.hosts_shown import tell
from fhirstack.errors import FhirstackError
from fhirstack.model.accepted import Acceptance
from fhirstack.model.host import Role
from fhirstack.planes.hosts.accepted import accept
from fhirstack.planes.hosts.plane import HostPlan, Plan, as_dict
from fhirstack.planes.plane import Action, Change

DB, NFS = host(Role.DATABASE), host(Role.NFS)
CRON, UNIT = "file:/etc/cron.d/backup", "unit:backup.timer"
WHY = "agreed with the data centre"


def plan(action=Action.REPORT, errors=()):
    hosts = {
        item.name: HostPlan(
            item.name,
            tuple(Change("hosts", f"{item.name}/{what}", action) for what in (CRON, UNIT)),
            "f",
            item.name,
        )
        for item in (DB, NFS)
        if item.name not in errors
    }
    return Plan(hosts, {name: FhirstackError("away") for name in errors})


# what, hosts, addresses that are still told on the database's host and on the NFS host
CASES = [
    (CRON, (), [UNIT], [UNIT]),
    ("file:/etc/cron.d/*", (), [UNIT], [UNIT]),
    ("*", (), [], []),
    (CRON, ("database",), [UNIT], [CRON, UNIT]),
    (CRON, (NFS.name,), [CRON, UNIT], [UNIT]),
    (CRON, (NFS.name, "database"), [UNIT], [UNIT]),
    ("file:/etc/cron.d", (), [CRON, UNIT], [CRON, UNIT]),
    ("FILE:*", (), [CRON, UNIT], [CRON, UNIT]),
]


@pytest.mark.parametrize(("what", "hosts", "db", "nfs"), CASES)
def test_what_is_accepted_is_told_no_more(what, hosts, db, nfs):
    found = accept(plan(), [Acceptance(what=what, hosts=hosts, reason=WHY)], (DB, NFS))
    for item, left in ((DB, db), (NFS, nfs)):
        told = [c.address.partition("/")[2] for c in found.hosts[item.name].changes]
        assert told == left
        gone = [c.address.partition("/")[2] for c, _ in found.hosts[item.name].accepted]
        assert sorted(told + gone) == [CRON, UNIT]
        assert {reason for _, reason in found.hosts[item.name].accepted} <= {WHY}


def test_a_difference_cannot_be_accepted_and_that_is_said():
    found = accept(plan(Action.UPDATE), [Acceptance(what=CRON, reason=WHY)], (DB, NFS))
    assert len(found.changes) == 4
    assert "cannot be accepted" in found.notes[0]


# what, hosts, the hosts asked, those that could not be looked at, whether it is told as in vain
VAIN = [
    ("file:/none", (), (DB, NFS), (), True),
    ("file:/none", ("database",), (DB, NFS), (), True),
    ("file:/none", ("database",), (NFS,), (), False),
    ("file:/none", ("nfs",), (NFS,), (), True),
    ("file:/none", (), (NFS,), (), False),
    ("file:/none", (), (DB, NFS), (DB.name,), False),
    (CRON, ("no-such-host",), (DB, NFS), (), True),
    (CRON, (), (DB, NFS), (), False),
]


@pytest.mark.parametrize(("what", "hosts", "asked", "away", "told"), VAIN)
def test_an_acceptance_that_fits_nothing_is_told_where_all_was_seen(what, hosts, asked, away, told):
    seen = plan(errors=away)
    seen = Plan({h.name: seen.hosts[h.name] for h in asked if h.name in seen.hosts}, seen.errors)
    found = accept(seen, [Acceptance(what=what, hosts=hosts, reason=WHY)], (DB, NFS))
    assert bool(found.notes) is told
    assert all(what in note for note in found.notes)


def test_it_is_shown_with_all_and_in_json_as_accepted(capsys):
    found = accept(plan(), [Acceptance(what="*", reason=WHY)], (DB, NFS))
    tell(found, "table", False)
    assert CRON not in capsys.readouterr().out
    tell(found, "table", True)
    assert WHY in capsys.readouterr().out
    data = json.loads(json.dumps(as_dict(found)))["hosts"][DB.name]
    assert [c["accepted"] for c in data["accepted"]] == [WHY, WHY]
    assert data["changes"] == []
