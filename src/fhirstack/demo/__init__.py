"""A small OpenSRP programme and its patients, to look at and to test with.

Use: create ``users()`` in Keycloak, then ``load(fhir, [transaction(programme(...)),
*patients(...)])`` with the iterables chained, so that no more than a few bundles are in memory.
"""

from fhirstack.demo.fhir import Bundle, Named, Progress, Resource, transaction
from fhirstack.demo.households import household_bundle
from fhirstack.demo.load import Loaded, load
from fhirstack.demo.patients import DEFAULT_SEED, bundle_count, patients
from fhirstack.demo.people import (
    ADMINISTRATOR,
    ANDROID_PRACTITIONER,
    SUPERVISOR,
    WEB_PRACTITIONER,
    DemoUser,
    Duty,
    users,
)
from fhirstack.demo.places import ROOT_LOCATION_ID, Team, teams
from fhirstack.demo.programme import programme
from fhirstack.demo.synthea import Options

__all__ = [
    "ADMINISTRATOR",
    "ANDROID_PRACTITIONER",
    "DEFAULT_SEED",
    "ROOT_LOCATION_ID",
    "SUPERVISOR",
    "WEB_PRACTITIONER",
    "Bundle",
    "DemoUser",
    "Duty",
    "Loaded",
    "Named",
    "Options",
    "Progress",
    "Resource",
    "Team",
    "bundle_count",
    "household_bundle",
    "load",
    "patients",
    "programme",
    "teams",
    "transaction",
    "users",
]
