"""What is wrong with a firewall, by cause."""

from fhirstack.planes.hosts.findings import findings
from fhirstack.planes.hosts.prove import Tried, Try

HOSTS = [f"w{number}" for number in range(1, 10)]


def tried(source, host, port, result, *, allowed, address="10.0.0.1"):
    return Tried(Try(source, host, address, "tcp", port, allowed, "firewall.x"), result)


def test_a_port_that_was_opened_is_one_finding_from_however_many_places():
    some = [tried(source, "db", 8123, "open", allowed=False) for source in HOSTS]
    (found,) = findings(some)
    assert found.what == (
        "tcp 8123 of db, from w1, w2, w3 and 6 more: 9 connections got through that no flow allows"
    )
    assert len(found.examples) == 3


def test_a_second_firewall_on_one_host_is_one_finding_on_however_many_ports():
    some = [
        tried(source, "w5", port, "silent", allowed=True)
        for source in HOSTS
        if source != "w5"
        for port in (10250, 8472, 4240)
    ]
    (found,) = findings(some)
    assert found.what.startswith("to w5, on tcp 10250, tcp 8472, tcp 4240 from w1")
    assert "24 connections that the matrix needs did not get through (silent)" in found.what


def test_a_host_that_gets_nowhere_is_one_finding_and_other_causes_stay_apart():
    stuck = [tried("w9", host, 10250, "denied", allowed=True) for host in HOSTS[:-1]]
    opened = [tried("lb", "db", 22, "open", allowed=False)]
    first, second = findings([*opened, *stuck])
    assert first.what.startswith("from w9, on tcp 10250: 8 connections")
    assert second.what == ("tcp 22 of db, from lb: 1 connection got through that no flow allows")


def test_everything_that_is_wrong_is_in_one_finding():
    some = [
        tried(source, host, port, "silent", allowed=True)
        for source in HOSTS
        for host in HOSTS
        for port in (1, 2)
        if source != host and hash((source, host, port)) % 3
    ]
    found = findings(some)
    assert sorted(map(id, (one for finding in found for one in finding.tried))) == sorted(
        map(id, some)
    )
    assert findings(()) == ()
