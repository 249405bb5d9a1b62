"""Packages, files and units of each release: what differs is in the table, and nothing else."""

import re
from functools import cache

import pytest
from tests.unit.hosts.desired_site import environment, inputs

from fhirstack.errors import UsageError
from fhirstack.model.host import OperatingSystem
from fhirstack.model.site import Environment
from fhirstack.planes.hosts.desired import desired
from fhirstack.planes.hosts.desired.releases import RELEASES, release
from fhirstack.planes.hosts.resources import File, Resource

BASE = ("debian", "13")
"""The release that is run in the lab: the others are told by how they differ from it."""
# Of a release, but for the version of PostgreSQL in names and paths: what it has and Debian 13 does
# not, what it has not, and files that differ.
DIFFERS: dict[tuple[str, str], tuple[set[str], set[str], set[str]]] = {
    ("debian", "12"): (set(), set(), {"/etc/ssh/sshd_config"}),
    ("debian", "13"): (set(), set(), set()),
    ("ubuntu", "24.04"): (
        set(),
        set(),
        {"/etc/ssh/sshd_config", "/etc/apt/apt.conf.d/52fhirstack", "/etc/chrony/chrony.conf"},
    ),
    ("ubuntu", "26.04"): (
        {"package:sudo-rs"},
        {"package:sudo"},
        {"/etc/apt/apt.conf.d/52fhirstack", "/etc/chrony/chrony.conf"},
    ),
}
GANESHA = {
    ("debian", "12"): False,
    ("debian", "13"): True,
    ("ubuntu", "24.04"): False,
    ("ubuntu", "26.04"): True,
}


def plain(text: str, version: str) -> str:
    """Return a text without the version of PostgreSQL."""
    return re.sub(rf"\b{version}(?=[/-]main)|(?<=postgresql-){version}\b", "N", text)


@cache
def rendered(system: tuple[str, str]) -> dict[tuple[str, str], Resource]:
    """Return every resource of every host, by host and address."""
    values = environment(OperatingSystem(name=system[0], version=system[1])).model_dump()
    # The site names no time server: the release's own are asked.
    values["network"] |= {"time_servers": []}
    where = Environment.model_validate(values)
    return {
        (host.name, plain(item.address, RELEASES[system].postgresql)): item
        for host in where.hosts
        for item in desired(where, host, inputs())
    }


def content(system: tuple[str, str], key: tuple[str, str]) -> str | None:
    """Return what a file holds, without the version of PostgreSQL; None for what is no file."""
    item = rendered(system)[key]
    text = item.content if isinstance(item, File) else None
    return text and plain(text, RELEASES[system].postgresql)


@pytest.mark.parametrize("system", RELEASES, ids=" ".join)
def test_what_differs_is_in_the_table(system):
    ours, base = rendered(system), rendered(BASE)
    addresses, others = {address for _, address in ours}, {address for _, address in base}
    unequal = {
        key[1].partition(":")[2]
        for key in ours.keys() & base.keys()
        if content(system, key) != content(BASE, key)
    }
    assert (addresses - others, others - addresses, unequal) == DIFFERS[system]


@pytest.mark.parametrize("system", RELEASES, ids=" ".join)
def test_no_path_or_unit_is_of_another_releases_cluster(system):
    version = RELEASES[system].postgresql
    others = {item.postgresql for item in RELEASES.values()} - {version}
    for item in rendered(system).values():
        assert not any(plain(item.address, other) != item.address for other in others)


@pytest.mark.parametrize("system", RELEASES, ids=" ".join)
def test_every_release_has_names_for_all_that_is_declared(system):
    packages = {a.partition(":")[2] for _, a in rendered(system) if a.startswith("package:")}
    assert {"chrony", "haproxy", "redis-server", "lego", "nfs-kernel-server", "rsyslog"} <= packages
    assert "postgresql-N" in packages
    assert RELEASES[system].ganesha_flusher is GANESHA[system]


def test_an_unknown_release_is_named_with_those_that_are_known():
    host = environment().hosts[0]
    unknown = host.model_copy(update={"os": OperatingSystem(name="debian", version="11")})
    with pytest.raises(UsageError, match="debian 11") as raised:
        release(unknown)
    assert all(" ".join(system) in str(raised.value.remedy) for system in RELEASES)


@pytest.mark.parametrize("system", RELEASES, ids=" ".join)
def test_what_is_needed_or_read_is_there(system):
    found = rendered(system)
    version = RELEASES[system].postgresql
    for (host, _), item in found.items():
        wanted = [*item.needs, *getattr(item, "watch", ()), *getattr(item, "reload_watch", ())]
        for address in wanted:
            assert (host, plain(address, version)) in found, (item.address, address)
