"""SSH: who gets in, and that nobody is locked out by accident."""

import pytest
from tests.unit.hosts.desired_site import changed, environment, key, resources, text

from fhirstack.model.host import OperatingSystem, Role
from fhirstack.planes.hosts.resources import Directory, File, User

SSHD = "/etc/ssh/sshd_config"
KEYS = "/etc/ssh/authorized_keys.d"


def _settings(role, where=None):
    lines = text(resources(role, where), SSHD).split("Match ")[0].splitlines()
    return dict(line.split(" ", 1) for line in lines if not line.startswith("#"))


@pytest.mark.parametrize("role", list(Role))
def test_what_is_closed_everywhere(role):
    found = _settings(role)
    assert found["PermitRootLogin"] == "no"
    assert found["PasswordAuthentication"] == "no"
    assert found["AllowUsers"] == "fhirstack ann"
    assert found["AllowAgentForwarding"] == "no"
    assert found["PermitUserEnvironment"] == "no"
    assert "Include" not in found


def test_only_the_load_balancer_forwards_and_only_to_ssh_of_hosts():
    found = _settings(Role.LOAD_BALANCER)
    assert found["AllowTcpForwarding"] == "local"
    places = found["PermitOpen"].split()
    assert {"10.10.0.51:22", "[fd00:10::51]:22", "staging-db.staging.internal:22"} <= set(places)
    assert all(place.endswith(":22") for place in places)
    assert not any(place.startswith("10.10.0.10:") for place in places)
    for role in set(Role) - {Role.LOAD_BALANCER}:
        assert _settings(role)["AllowTcpForwarding"] == "no"


def test_without_keys_in_the_site_those_on_the_host_go_on_to_serve():
    content = text(resources(Role.WORKER), SSHD)
    assert content.endswith(
        f"Match User fhirstack\n    AuthorizedKeysFile {KEYS}/%u .ssh/authorized_keys\n"
    )
    assert f"file:{KEYS}/fhirstack" not in resources(Role.WORKER)


def test_with_keys_in_the_site_no_others_serve():
    where = changed(access={"keys": [key("tool")]})
    found = resources(Role.WORKER, where)
    assert "Match" not in text(found, SSHD)
    assert text(found, f"{KEYS}/fhirstack") == key("tool") + "\n"
    assert found[f"directory:{KEYS}"].keep == ("fhirstack",)


def test_newer_servers_do_not_shut_out_the_way_in():
    assert "PerSourcePenaltyExemptList" not in _settings(Role.WORKER)
    newer = environment(OperatingSystem(name="ubuntu", version="26.04"))
    exempt = {
        role: _settings(role, newer)["PerSourcePenaltyExemptList"]
        for role in (Role.LOAD_BALANCER, Role.WORKER)
    }
    assert exempt[Role.LOAD_BALANCER] == "198.51.100.7,2001:db8:7::7"
    assert exempt[Role.WORKER] == "10.10.0.10,fd00:10::10"


def test_what_may_lock_out_is_guarded():
    for item in resources(Role.DATABASE).values():
        ways_in = isinstance(item, User) or (
            isinstance(item, File | Directory)
            and item.path.startswith(("/etc/ssh/", "/etc/sudoers.d"))
        )
        assert item.guard or not ways_in, item.address
    assert resources(Role.DATABASE)["logins"].allowed == ("fhirstack", "ann")


def test_nobody_has_a_group_that_is_root_by_another_name():
    users = [item for item in resources(Role.WORKER).values() if isinstance(item, User)]
    assert {user.name: user.groups for user in users} == {"fhirstack": (), "ann": ()}
