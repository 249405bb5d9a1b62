"""A small OpenSRP programme as FHIR resources, with fixed ids that begin with ``demo-``."""

from collections.abc import Mapping

from fhirstack.demo.application import application_resources
from fhirstack.demo.fhir import Resource
from fhirstack.demo.people import practitioner_resources
from fhirstack.demo.places import (
    care_team_resources,
    location_resources,
    organization_resources,
    workplaces,
)


def programme(
    app_id: str, users: Mapping[str, str], *, sync_strategy: str = "CareTeam"
) -> list[Resource]:
    """Return the whole programme, what is referred to before what refers to it.

    ``users`` maps the usernames of ``demo.users()`` to their Keycloak user ids. The chain that
    the gateway walks is Practitioner, CareTeam participant, managing Organization,
    OrganizationAffiliation, Location (docs.opensrp.io, backend readme, "Gotchas").
    Raises UsageError when a user has no Keycloak id.
    """
    return [
        *location_resources(),
        *organization_resources(),
        *practitioner_resources(users, workplaces()),
        *care_team_resources(),
        *application_resources(app_id, sync_strategy),
    ]
