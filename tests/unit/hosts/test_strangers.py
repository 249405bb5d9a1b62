"""What is held up where somebody else's PostgreSQL or Redis is in the way, and what goes on."""

import pytest

from fhirstack.model.host import Role
from fhirstack.planes.hosts.agent import every, work
from fhirstack.planes.hosts.agent.base import Resource

from tests.unit.hosts.desired_site import environment, inputs  # isort: skip
from fhirstack.planes.hosts.desired import desired

assert every

PLACE, CLUSTER, REDIS = "place:postgresql", "postgresql-cluster:15/main", "place:redis"
SETTINGS = "postgresql-settings"


@pytest.fixture(scope="module")
def resources():
    (host,) = environment().hosts_of(Role.DATABASE)
    specs = [resource.as_dict() for resource in desired(environment(), host, inputs())]
    return [Resource.kinds[spec["kind"]](spec) for spec in specs]


@pytest.mark.parametrize(
    ("failed", "waits", "goes_on"),
    [
        (PLACE, "package:postgresql-15", "package:redis-server"),
        (PLACE, "file:/etc/postgresql-common/createcluster.conf", REDIS),
        (PLACE, CLUSTER, "file:/etc/redis/redis.conf"),
        (CLUSTER, "file:/etc/postgresql/15/main/postgresql.conf", "service:redis-server"),
        (CLUSTER, "file:/etc/postgresql/15/main/pg_hba.conf", REDIS),
        (CLUSTER, "file:/etc/postgresql/15/main/fhirstack.key", "service:ssh"),
        (CLUSTER, "service:postgresql@15-main", "service:redis-server"),
        (CLUSTER, "service:postgresql", "file:/etc/redis/redis.conf"),
        (CLUSTER, "SETTINGS", "service:ssh"),
        (REDIS, "package:redis-server", "service:postgresql@15-main"),
        (REDIS, "file:/etc/redis/users.acl", CLUSTER),
        (REDIS, "service:redis-server", "service:postgresql"),
    ],
)
def test_what_is_of_others_holds_up_its_service_alone(resources, failed, waits, goes_on):
    work_done = work.Work(resources, "token", 60, lambda *_, **__: True)
    addresses = {resource.address for resource in resources}
    waits = next(a for a in addresses if a.startswith(SETTINGS)) if waits == "SETTINGS" else waits
    assert {failed, waits, goes_on} <= addresses
    work_done.fail(failed, "is another's")
    assert work_done.lacks(waits) == failed
    assert work_done.lacks(goes_on) == ""
    assert all(not work_done.lacks(r.address) for r in resources if r.guard)


def test_a_place_is_looked_at_before_anything_is_installed(resources):
    places = [resource for resource in resources if resource.kind == "place"]
    assert len(places) == 2
    assert all(place.spec["early"] for place in places)
