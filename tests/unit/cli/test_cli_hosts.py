"""How plans of hosts are shown, and what they mean for the exit code."""

import json

import pytest

from fhirstack.cli import databases_seen, hosts, hosts_shown
from fhirstack.errors import CheckFailedError, FhirstackError, UnreachableError, UsageError
from fhirstack.planes.hosts import plane
from fhirstack.planes.plane import Action, Change
from fhirstack.services.workload import Login


def change(host, address, **rest):
    return Change("hosts", f"{host}/{address}", rest.pop("action", Action.UPDATE), **rest)


def plan_of(errors=None, **changes):
    hosts_ = {
        name: plane.HostPlan(name, tuple(some), f"print-{name}", name)
        for name, some in changes.items()
    }
    return plane.Plan(hosts_, errors or {})


DIFFERENT = plan_of(
    db=[
        change("db", "file:/a", before={"mode": "0666", "content": "1"}, after={"mode": "0644"}),
        change(
            "db", "service:redis", action=Action.RESTART, reason="file:/a changes", disrupts=True
        ),
    ],
    w1=[change("w1", "file:/hosts", diff="-a\n+b"), change("w1", "user:eve", before={"uid": 1000})],
    w2=[change("w2", "file:/hosts", diff="-a\n+b")],
    lb=[],
    told=[change("told", "sysctl:x", action=Action.REPORT, reason="not here")],
)


def test_what_hosts_have_alike_is_shown_once(capsys):
    hosts_shown.tell(DIFFERENT, "table", everything=False)
    out = capsys.readouterr().out
    assert out.startswith("w1, w2\n  update  file:/hosts\n          -a\n          +b\n")
    assert "  update  file:/a: mode 0666 → 0644\n" in out
    assert "  restart service:redis: file:/a changes; interrupts it\n" in out
    assert "  update  user:eve: uid 1000\n" in out
    assert "5 hosts: 2 as declared, 3 differ in 5 places, 1 of which interrupt a service." in out
    assert max(map(len, out.splitlines())) <= 80


def test_a_new_file_is_shown_whole_only_when_asked_for(capsys):
    found = plan_of(db=[change("db", "file:/a", action=Action.CREATE, diff="+new")])
    hosts_shown.tell(found, "table", everything=False)
    assert "+new" not in capsys.readouterr().out
    hosts_shown.tell(found, "table", everything=True)
    assert "+new" in capsys.readouterr().out


def test_what_is_yet_to_be_made_is_shown_first_and_is_a_difference(capsys):
    made = Change("site", "site/authority:production", Action.CREATE)
    found = plane.Plan(plan_of(lb=[]).hosts, site=(made,))
    hosts_shown.tell(found, "table", everything=False)
    out = capsys.readouterr().out
    assert out.startswith("here, in secrets/\n  create  authority:production\n")
    assert "1 secrets and certificates are to be made" in out
    with pytest.raises(CheckFailedError):
        hosts_shown.conclude(found, "apply")


def test_json_holds_every_change_and_every_error(capsys):
    found = plan_of({"w3": FhirstackError("cut", where="w3")}, db=[change("db", "file:/a")])
    hosts_shown.tell(found, "json", everything=False)
    told = json.loads(capsys.readouterr().out)
    assert told["hosts"]["db"]["changes"][0]["address"] == "db/file:/a"
    assert told["errors"] == {"w3": "w3: cut"}


HALF_OPEN = Change(
    "databases", "settings", Action.UPDATE, before=["everybody: x"], reason="settings by hand"
)
TOLD = Change("databases", "roles/tool", Action.REPORT, reason="left as it is")


def with_databases(*changes, hosts=(), **rest):
    found = plan_of(db=list(hosts))
    return plane.Plan(found.hosts, databases=plane.Beside(changes, **rest))


@pytest.mark.parametrize(
    ("found", "error", "said"),
    [
        (with_databases(), None, "1 hosts: 1 as declared."),
        (with_databases(TOLD), None, "roles/tool: left as it is"),
        (with_databases(note="come after apply"), None, "come after apply"),
        (with_databases(HALF_OPEN, remedy="r"), CheckFailedError, "databases differ in 1 places"),
        (
            with_databases(error=UnreachableError("of staging", where="db", remedy="move it")),
            UnreachableError,
            "db: of staging",
        ),
        (
            with_databases(hosts=[change("db", "file:/a")], error=UnreachableError("gone")),
            UnreachableError,
            "gone",
        ),
    ],
)
def test_databases_are_told_in_the_same_view_and_the_same_exit_code(found, error, said, capsys):
    hosts_shown.tell(found, "table", everything=False)
    assert said in capsys.readouterr().out
    hosts_shown.tell(found, "json", everything=False)
    told = json.loads(capsys.readouterr().out)["databases"]
    assert [c["address"] for c in told["changes"]] == [c.address for c in found.databases.changes]
    if error is None:
        hosts_shown.conclude(found, "apply")
        return
    with pytest.raises(error):
        hosts_shown.conclude(found, "apply")


LOGINS = [Login("fhir", "postgresql-fhir", 10), Login("keycloak", "postgresql-keycloak", 5)]
NEW = [Change("databases", f"roles/{login.role}", Action.CREATE) for login in LOGINS]
DRAFTED = [f"site/secret:{login.secret}" for login in LOGINS]


@pytest.mark.parametrize(
    ("changes", "drafts", "never"),
    [
        (NEW, DRAFTED, True),
        (NEW, [], False),
        (NEW, DRAFTED[:1], False),
        (NEW[:1], DRAFTED, False),
        ([HALF_OPEN], [], False),
    ],
    ids=["nothing was made", "all were taken away", "one had a password", "one is there", "made"],
)
def test_databases_that_were_taken_away_are_no_databases_that_were_never_made(
    changes, drafts, never
):
    assert databases_seen.never_made(changes, LOGINS, drafts) is never


@pytest.mark.parametrize(
    ("action", "address", "after"),
    [
        (Action.CREATE, "package:postgresql-17", True),
        (Action.UPDATE, "postgresql-cluster:17/main", True),
        (Action.UPDATE, "place:postgresql", True),
        (Action.START, "service:postgresql@17-main", True),
        (Action.RESTART, "service:postgresql@17-main", False),
        (Action.REPORT, "postgresql-cluster:17/main", False),
        (Action.UPDATE, "file:/etc/postgresql/17/main/pg_hba.conf", False),
    ],
)
def test_databases_are_looked_at_where_postgresql_is(action, address, after):
    host = plan_of(db=[change("db", address, action=action)]).hosts["db"]
    assert databases_seen._comes_after(host) is after


@pytest.mark.parametrize(
    ("found", "error"),
    [
        (plan_of(lb=[]), None),
        (plan_of(lb=[change("lb", "x:1", action=Action.REPORT)]), None),
        (DIFFERENT, CheckFailedError),
        (plan_of({"w3": FhirstackError("cut")}, lb=[change("lb", "x:1")]), UnreachableError),
    ],
    ids=["as declared", "only told", "different", "not reached"],
)
def test_exit_codes(found, error):
    if error is None:
        hosts_shown.conclude(found, "apply")
        return
    with pytest.raises(error):
        hosts_shown.conclude(found, "apply")


def test_after_a_failure_what_was_not_begun_is_named():
    failed = plane.Outcome("db", ("file:/a",), (UnreachableError("cut", where="db"),))
    with pytest.raises(UnreachableError, match="1 hosts failed: db; not begun: w1, w2"):
        hosts_shown.conclude_apply(DIFFERENT, [failed], 1.0)


def test_a_saved_plan_holds_until_a_host_is_another(tmp_path):
    saved = tmp_path / "plan.json"
    hosts._save(saved, "production", DIFFERENT)
    assert saved.stat().st_mode & 0o777 == 0o600
    hosts._compare_saved(saved, "production", DIFFERENT)
    with pytest.raises(UsageError, match="is a plan of production, not of staging"):
        hosts._compare_saved(saved, "staging", DIFFERENT)
    other = plane.HostPlan("db", (), "another", "db")
    with pytest.raises(CheckFailedError, match="these changed: db"):
        hosts._compare_saved(saved, "production", plane.Plan({**DIFFERENT.hosts, "db": other}))
    made = Change("site", "site/secret:redis-admin", Action.CREATE)
    first = plane.Plan(DIFFERENT.hosts, site=(made,))
    with pytest.raises(CheckFailedError, match="these changed: secrets/production"):
        hosts._compare_saved(saved, "production", first)
    hosts._save(saved, "production", first)
    hosts._compare_saved(saved, "production", first)
    saved.write_text("{")
    with pytest.raises(UsageError, match="is not a saved plan"):
        hosts._compare_saved(saved, "production", DIFFERENT)
