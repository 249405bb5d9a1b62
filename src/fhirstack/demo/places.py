"""The demo programme's places and teams: a tree of uneven depth, and who works where.

Kalanda
├─ North Region
│  ├─ Hill District ─ Upper Hill, Lower Hill
│  └─ Lake District ─ Lakeside ─ Lakeside Island
└─ South Region
├─ Coast District
└─ River Village
"""

from dataclasses import dataclass

from fhirstack.demo.fhir import Named, Resource, coding, concept, identifiers
from fhirstack.demo.people import user

ADMINISTRATIVE_LEVEL = "https://smartregister.org/codes/administrative-level"
LOCATION_LINEAGE = "http://smartregister.org/CodeSystem/location-lineage"

_PHYSICAL_TYPE = "http://terminology.hl7.org/CodeSystem/location-physical-type"
_ORGANIZATION_TYPE = "http://terminology.hl7.org/CodeSystem/organization-type"

# Slug, name, slug of the parent. Parents come first.
_TREE: tuple[tuple[str, str, str | None], ...] = (
    ("kalanda", "Kalanda", None),
    ("north", "North Region", "kalanda"),
    ("hill", "Hill District", "north"),
    ("upper-hill", "Upper Hill", "hill"),
    ("lower-hill", "Lower Hill", "hill"),
    ("lake", "Lake District", "north"),
    ("lakeside", "Lakeside", "lake"),
    ("lakeside-island", "Lakeside Island", "lakeside"),
    ("south", "South Region", "kalanda"),
    ("coast", "Coast District", "south"),
    ("river", "River Village", "south"),
)
_PARENT = {slug: parent for slug, _, parent in _TREE}
_NAME = {slug: name for slug, name, _ in _TREE}

ROOT_LOCATION_ID = "demo-location-kalanda"
COMMODITY_LIST_ID = "demo-commodities"
"""The List that FHIR Web makes with the first commodity: the demo programme has none."""

# Slug of the location that the organization serves, and its name.
_ORGANIZATIONS: tuple[tuple[str, str], ...] = (
    ("kalanda", "Kalanda Ministry of Health"),
    ("north", "North Region Health Office"),
    ("hill", "Hill District Health Team"),
    ("lake", "Lake District Health Team"),
    ("coast", "Coast District Health Team"),
    ("river", "River Village Health Post"),
)
_ORGANIZATION_NAME = dict(_ORGANIZATIONS)


def location(slug: str) -> Named:
    """Return one place of the tree. Raises KeyError."""
    return Named("Location", f"demo-location-{slug}", _NAME[slug])


def organization(slug: str) -> Named:
    """Return the organization that serves a place. Raises KeyError."""
    return Named("Organization", f"demo-organization-{slug}", _ORGANIZATION_NAME[slug])


@dataclass(frozen=True)
class Team:
    """A care team and its area: all that a tag on a record refers to."""

    care_team: Named
    organization: Named
    location: Named
    practitioner: Named
    villages: tuple[Named, ...]


def _team(slug: str, username: str, villages: tuple[str, ...]) -> Team:
    return Team(
        care_team=Named("CareTeam", f"demo-care-team-{slug}", f"{_NAME[slug]} Care Team"),
        organization=organization(slug),
        location=location(slug),
        practitioner=user(username).practitioner,
        villages=tuple(location(village) for village in villages),
    )


def teams() -> tuple[Team, ...]:
    """Return the two care teams that have patients, each with its one health worker."""
    return (
        _team("hill", "amina", ("upper-hill", "lower-hill")),
        _team("lake", "baraka", ("lakeside", "lakeside-island")),
    )


def workplaces() -> dict[str, Named]:
    """Return the organization that each user with a role in the field works for."""
    return {
        "amina": organization("hill"),
        "baraka": organization("lake"),
        "chiku": organization("north"),
    }


def lineage(slug: str) -> list[str]:
    """Return the slugs above a place, the country first."""
    above: list[str] = []
    parent = _PARENT[slug]
    while parent is not None:
        above.insert(0, parent)
        parent = _PARENT[parent]
    return above


def location_resources() -> list[Resource]:
    """Return every Location, parents first.

    The level's form is FHIR Web's (``getAdministrativeLevelTypeCoding``); the lineage tags name
    every ancestor, because the gateway plugin finds descendants by them and not by ``partOf``.
    """
    return [_location(slug) for slug, _, _ in _TREE]


def _location(slug: str) -> Resource:
    place, above = location(slug), lineage(slug)
    level = str(len(above))
    resource: Resource = {
        "resourceType": "Location",
        "id": place.id,
        "identifier": identifiers(place.id),
        "status": "active",
        "name": place.name,
        "mode": "instance",
        "type": [concept(coding(ADMINISTRATIVE_LEVEL, level, f"Level {level}"))],
        "physicalType": concept(coding(_PHYSICAL_TYPE, "jdn", "Jurisdiction")),
    }
    if above:
        resource["meta"] = {
            "tag": [
                coding(LOCATION_LINEAGE, location(ancestor).id, location(ancestor).name)
                for ancestor in above
            ]
        }
        resource["partOf"] = location(above[-1]).reference
    return resource


def organization_resources() -> list[Resource]:
    """Return every Organization and the OrganizationAffiliation that gives it its location."""
    resources: list[Resource] = []
    for slug, name in _ORGANIZATIONS:
        this = organization(slug)
        affiliation_id = f"demo-affiliation-{slug}"
        resources += (
            {
                "resourceType": "Organization",
                "id": this.id,
                "identifier": identifiers(this.id),
                "active": True,
                "type": [concept(coding(_ORGANIZATION_TYPE, "team", "Organizational team"))],
                "name": name,
            },
            {
                "resourceType": "OrganizationAffiliation",
                "id": affiliation_id,
                "identifier": identifiers(affiliation_id),
                "active": True,
                "organization": this.reference,
                "location": [location(slug).reference],
            },
        )
    return resources


def care_team_resources() -> list[Resource]:
    """Return the care teams. The supervisor is in all of them, so that she sees all records.

    The team of the region has no records: it is what the plugin's PractitionerDetail starts from
    to find the practitioners below a supervisor (managing organization, its location, and down).
    """
    supervisor = user("chiku").practitioner
    region = Named("CareTeam", "demo-care-team-north", "North Region Supervision")
    return [
        _care_team(team.care_team, team.organization, (team.practitioner, supervisor))
        for team in teams()
    ] + [_care_team(region, organization("north"), (supervisor,))]


def _care_team(this: Named, manager: Named, members: tuple[Named, ...]) -> Resource:
    return {
        "resourceType": "CareTeam",
        "id": this.id,
        "identifier": identifiers(this.id),
        "status": "active",
        "name": this.name,
        "participant": [{"member": member.reference} for member in (*members, manager)],
        "managingOrganization": [manager.reference],
    }
