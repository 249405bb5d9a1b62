"""The site's words for FHIR Web and analytics."""

import itertools

import pytest
from pydantic import ValidationError

from fhirstack.model.local import ANALYTICS, CORE, local_environment
from fhirstack.model.site import Analytics, FhirWeb

PLACES = {"image": "opensrp/web:v3.3.3", "directory": "/srv/web", "build": "/srv/build"}


def test_fhir_web_may_come_from_nowhere():
    assert FhirWeb() == FhirWeb(image=None, directory=None, build=None)


@pytest.mark.parametrize("name", PLACES)
def test_fhir_web_may_come_from_one_place(name):
    assert getattr(FhirWeb(**{name: PLACES[name]}), name) == PLACES[name]


@pytest.mark.parametrize("names", [*itertools.combinations(PLACES, 2)], ids="-".join)
def test_fhir_web_comes_from_one_place_at_most(names):
    with pytest.raises(ValidationError, match=f"one of {', '.join(names)}"):
        FhirWeb(**{name: PLACES[name] for name in names})


@pytest.mark.parametrize("name", PLACES)
def test_what_fhir_web_shows_is_no_place_that_it_comes_from(name):
    assert not FhirWeb(root_location="kalanda", commodity_list="all", project="eusm").named
    assert FhirWeb(**{name: PLACES[name]}).named


@pytest.mark.parametrize(
    "wrong",
    [
        {"root_location": ""}, {"root_location": "a/b"}, {"root_location": "x" * 65},
        {"root_location": "a b"}, {"commodity_list": "List/x"}, {"project": "other"},
        {"languages": ()}, {"languages": ("de",)},
    ],
    ids=str,
)  # fmt: skip
def test_what_its_pages_cannot_take_is_refused(wrong):
    with pytest.raises(ValidationError):
        FhirWeb(**wrong)


@pytest.mark.parametrize("name", ["directory", "build"])
def test_a_place_on_the_machine_is_an_absolute_path(name):
    with pytest.raises(ValidationError):
        FhirWeb(**{name: "srv/web"})


@pytest.mark.parametrize(
    "wrong",
    [
        {"every_minutes": 0},
        {"every_minutes": 1441},
        {"smallest_group": 0},
        {"airbyte": "elsewhere"},
        {"every_hours": 1},
        {"time_zone": "Nairobi"},
        {"time_zone": "Africa/Nairobi'; select 1; --"},
        {"time_zone": "+03:00"},
        {"time_zone": ""},
    ],
)
def test_analytics_out_of_range_are_refused(wrong):
    with pytest.raises(ValidationError):
        Analytics(**wrong)


def test_a_group_of_a_site_has_five_people_at_least_unless_it_says_otherwise():
    assert Analytics().smallest_group == 5


@pytest.mark.parametrize("zone", ["UTC", "Africa/Nairobi", "America/Port-au-Prince", "Etc/GMT+3"])
def test_a_site_has_a_time_zone(zone):
    assert Analytics(time_zone=zone).time_zone == zone
    assert Analytics().time_zone == "UTC"


@pytest.mark.parametrize("analytics", [True, False])
def test_the_local_environment_runs_analytics_if_it_is_asked_to(analytics):
    found = local_environment("one", https_port=1443, http_port=1480, analytics=analytics)
    assert [found.runs(service) for service in CORE] == [True] * len(CORE)
    assert [found.runs(service) for service in ANALYTICS] == [analytics] * len(ANALYTICS)
    assert ("superset" in found.dns_names) is analytics
    assert "airbyte" not in found.dns_names
