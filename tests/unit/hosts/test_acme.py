"""Certificates by ACME: what lego is called for, and what a failed renewal is."""

import datetime
import subprocess

import pytest
from tests.unit.hosts.desired_site import changed, inputs, text
from tests.unit.hosts.desired_site import host as host_of

from fhirstack.certificates import make_authority, make_certificate
from fhirstack.model.host import Role
from fhirstack.planes.hosts import served
from fhirstack.planes.hosts.agent import jobs, services
from fhirstack.planes.hosts.desired import desired
from fhirstack.planes.hosts.resources import Job

NOW = datetime.datetime.now(datetime.UTC)
NAMES = sorted({*changed().dns_names.values()})
LEGO = """\
#!/bin/sh
# As lego 4: an account is registered by `run` alone, and renews nothing without that.
echo "$*" >>"{calls}"
while [ $# -gt 0 ]; do
  case $1 in
    --email) email=$2 ;; --domains) name=$2 ;; --path) state=$2 ;; run | renew) how=$1 ;;
  esac
  shift
done
account="$state/accounts/acme.example.org/$email"
if grep -qs unknown "$account/account.json"; then
  echo "acme: error: 400 :: urn:ietf:params:acme:error:accountDoesNotExist :: unknown" >&2
  exit 1
fi
if [ "$how" = renew ] && [ ! -e "$account/account.json" ]; then exit 1; fi
mkdir -p "$account" "$state/certificates"
echo '{{}}' >"$account/account.json"
[ "$how" = run ] || exit 0
cp "{new}" "$state/certificates/$name.crt"
cp "{new}" "$state/certificates/$name.key"
"""


class Machine:
    """A load balancer's directories, with the script on them."""

    def __init__(self, place, email):
        where = changed(tls={"email": email, "acme_server": "https://acme.example.org/dir"})
        found = {r.address: r for r in desired(where, host_of(Role.LOAD_BALANCER), inputs())}
        self.place = place
        self.state = place / "lego/acme.example.org"
        self.served = place / "haproxy/certs"
        programs = place / "programs"
        for directory in (self.state / "certificates", self.served, programs):
            directory.mkdir(parents=True, exist_ok=True)
        new = place / "new.pem"
        new.write_bytes(self.pem("new.example.org", 60))
        for name, content in (
            ("lego", LEGO.format(calls=place / "calls", new=new)),
            ("systemctl", "#!/bin/sh\n"),
        ):
            (programs / name).write_text(content)
            (programs / name).chmod(0o755)
        self.script = (
            text(found, "/usr/local/sbin/fhirstack-acme")
            .replace("/var/lib/lego", str(place / "lego"))
            .replace("/etc/haproxy", str(place / "haproxy"))
            .replace("PATH=", f"PATH={programs}:")
        )

    @staticmethod
    def pem(name, days):
        authority = make_authority("example.org", NOW)
        then = NOW + datetime.timedelta(days=days - 397)
        return make_certificate(authority, name, then).pem()

    def has(self, name, days):
        for ending in ("crt", "key"):
            path = self.state / "certificates" / f"{name}.{ending}"
            path.write_bytes(self.pem(name, days))
        pair = [self.state / "certificates" / f"{name}.{e}" for e in ("crt", "key")]
        (self.served / f"{name}.pem").write_bytes(b"".join(p.read_bytes() for p in pair))

    def registered(self, email):
        path = self.state / "accounts/acme.example.org" / email
        path.mkdir(parents=True)
        (path / "account.json").write_text("{}")

    def run(self):
        """Run the script; return its exit code and what lego was asked to do for each name."""
        done = subprocess.run(["sh", "-c", self.script], capture_output=True, check=False)
        calls = self.place / "calls"
        lines = calls.read_text().splitlines() if calls.exists() else []
        told = [line.split(" --domains ")[1].split()[:2] for line in lines]
        return done.returncode, [tuple(words) for words in told]


@pytest.mark.parametrize(
    ("known", "left", "asked"),
    [
        # No certificate yet: the first `run` makes the account.
        ("", {}, [(name, "run") for name in NAMES]),
        ("ops@example.org", dict.fromkeys(NAMES, 60), [(name, "renew") for name in NAMES]),
        # Another contact: nothing is due, so nothing is spent on it.
        ("old@example.org", dict.fromkeys(NAMES, 60), []),
        # The first that is due registers it; the others renew with it.
        (
            "old@example.org",
            dict.fromkeys(NAMES, 20),
            [(NAMES[0], "run"), *((name, "renew") for name in NAMES[1:])],
        ),
        (
            "old@example.org",
            dict.fromkeys(NAMES, 60) | {NAMES[-1]: 20},
            [(NAMES[-1], "run")],
        ),
        # A name that is new comes with the new contact, whatever the others have.
        (
            "old@example.org",
            dict.fromkeys(NAMES[1:], 60),
            [(NAMES[0], "run"), *((name, "renew") for name in NAMES[1:])],
        ),
        ("", dict.fromkeys(NAMES, -1), [(NAMES[0], "run"), *((n, "renew") for n in NAMES[1:])]),
    ],
    ids=["first", "same", "nothing due", "all due", "one due", "a new name", "all ended"],
)
def test_a_changed_contact_renews_on(tmp_path, known, left, asked):
    machine = Machine(tmp_path, "ops@example.org")
    if known:
        machine.registered(known)
    for name, days in left.items():
        machine.has(name, days)
    before = {path.name: path.read_bytes() for path in machine.served.iterdir()}
    assert machine.run() == (0, asked)
    after = {path.name: path.read_bytes() for path in machine.served.iterdir()}
    got = {f"{name}.pem" for name, how in asked if how == "run"}
    assert {name for name in after if after[name] != before.get(name)} == got
    assert after.keys() == {f"{name}.pem" for name in NAMES}


def test_an_account_that_the_server_forgot_is_registered_anew(tmp_path):
    machine = Machine(tmp_path, "ops@example.org")
    machine.registered("ops@example.org")
    account = machine.state / "accounts/acme.example.org/ops@example.org/account.json"
    account.write_text('"unknown"')
    for name in NAMES:
        machine.has(name, 20)
    assert machine.run() == (
        0,
        [(NAMES[0], "renew"), (NAMES[0], "run"), *((name, "renew") for name in NAMES[1:])],
    )
    # Its key is kept.
    (aside,) = machine.state.glob("unknown-*/account.json")
    assert aside.read_text() == '"unknown"'


def test_a_renewal_that_fails_is_the_units_failure(tmp_path):
    machine = Machine(tmp_path, "ops@example.org")
    (tmp_path / "programs/lego").write_text("#!/bin/sh\nexit 1\n")
    assert machine.run()[0] == 1


WAITS = {"ActiveState": "activating", "SubState": "auto-restart", "Result": "exit-code"}
STATES = {
    "never ran": ({"ActiveState": "inactive", "Result": "success", "NRestarts": "0"}, False),
    "runs": ({"ActiveState": "activating", "Result": "success", "NRestarts": "0"}, False),
    "ran after failures": (
        {"ActiveState": "inactive", "Result": "success", "NRestarts": "3"},
        False,
    ),
    "not installed": ({"ActiveState": "inactive", "LoadState": "not-found"}, False),
    "failed": ({"ActiveState": "failed", "Result": "exit-code", "NRestarts": "0"}, True),
    "took too long": ({"ActiveState": "failed", "Result": "timeout", "NRestarts": "0"}, True),
    "its first failure": ({**WAITS, "NRestarts": "0"}, True),
    "is tried again now": (
        {"ActiveState": "activating", "SubState": "start", "Result": "success", "NRestarts": "1"},
        True,
    ),
}


@pytest.fixture
def systemd(monkeypatch):
    calls = []

    def make(state):
        def run(command, text=None, timeout=300, check=True):
            calls.append(command[1:])
            out = "".join(f"{key}={value}\n" for key, value in state.items())
            return subprocess.CompletedProcess(command, 0, out, "")

        monkeypatch.setattr(jobs, "run", run)
        monkeypatch.setattr(services, "run", run)
        return calls

    return make


@pytest.mark.parametrize(("state", "failed"), STATES.values(), ids=STATES)
def test_a_run_that_failed_is_a_difference_until_one_works(systemd, state, failed):
    calls = systemd(state)
    job = jobs.Job(Job(name="x.service").as_dict())
    changes = job.plan()
    assert [change.action for change in changes] == (["start"] if failed else [])
    assert len(calls) == 1
    if failed:
        assert "journalctl -u x.service" in changes[0].reason
        job.apply(changes)
        # It is not waited for: it may take minutes, and apply cannot mend what it fails of.
        assert calls[1:] == [["reset-failed", "x.service"], ["restart", "--no-block", "x.service"]]


TIMER = {"ActiveState": "active", "UnitFileState": "enabled"}


@pytest.mark.parametrize(
    ("units", "told"),
    [
        ((STATES["never ran"][0], TIMER), []),
        (
            ({**WAITS, "ExecMainExitTimestamp": "Tue 2026-12-01 00:37:15 UTC"}, TIMER),
            ["the renewal fails, last on Tue 2026-12-01 00:37:15 UTC: `journalctl -u "],
        ),
        (
            (STATES["never ran"][0], {"ActiveState": "inactive", "UnitFileState": "masked"}),
            ["nothing renews them: fhirstack-acme.timer on lb is inactive, masked"],
        ),
        (
            (STATES["failed"][0], {"ActiveState": "inactive", "UnitFileState": ""}),
            ["nothing renews them: ", "the renewal fails: "],
        ),
        (None, ["systemd on lb does not say"]),
    ],
)
def test_certs_check_says_what_keeps_them_from_being_renewed(units, told):
    names = ("fhirstack-acme.service", "fhirstack-acme.timer")
    found = list(served.renewal(dict(zip(names, units, strict=True)) if units else {}, "lb"))
    assert len(found) == len(told)
    assert all(text.startswith(begin) for text, begin in zip(found, told, strict=True))
