"""The role catalogue and the groups. Source: OpenSRP's role seed and what its apps read.

``MANAGE_<TYPE>`` is a plain role, not a composite of four: the gateway and FHIR Web both read it
as all four, and tokens stay small (reference/OpenSRP: composite roles filled headers with tokens
above 8 KB).
"""

from dataclasses import dataclass, field

ANDROID_CLIENT = "ANDROID_CLIENT"
WEB_CLIENT = "WEB_CLIENT"
SUPERVISOR = "SUPERVISOR"
ALL_LOCATIONS = "ALL_LOCATIONS"

SUPERSET_ADMINISTRATOR = "SUPERSET_ADMINISTRATOR"
SUPERSET_ANALYST = "SUPERSET_ANALYST"
SUPERSET_VIEWER = "SUPERSET_VIEWER"

ANDROID_GROUP = "ANDROID_PRACTITIONER"
WEB_GROUP = "WEB_PRACTITIONER"
SUPERVISOR_GROUP = "SUPERVISOR"
ADMINISTRATOR_GROUP = "ADMINISTRATOR"
VIEWER_GROUP = "DASHBOARD_VIEWER"
ANALYST_GROUP = "DASHBOARD_ANALYST"

CLINICAL = (
    "AdverseEvent", "CarePlan", "Condition", "Consent", "DiagnosticReport", "Encounter",
    "EpisodeOfCare", "Flag", "Group", "Immunization", "Medication", "MedicationRequest",
    "Observation", "Patient", "Procedure", "QuestionnaireResponse", "RelatedPerson",
    "ServiceRequest", "Task",
)  # fmt: skip
"""What health workers write."""

ASSIGNMENT = (
    "CareTeam", "HealthcareService", "Location", "Organization", "OrganizationAffiliation",
    "Practitioner", "PractitionerRole",
)  # fmt: skip
"""Who works where: what administrators write."""

CONFIGURATION = (
    "ActivityDefinition", "Binary", "CodeSystem", "Composition", "ConceptMap", "Device",
    "ImplementationGuide", "Library", "List", "Measure", "MeasureReport", "Parameters",
    "PlanDefinition",
    "Questionnaire", "StructureDefinition", "StructureMap", "ValueSet",
)  # fmt: skip
"""What the programme's applications are made of. The sync filter does not hold these types and
those of ASSIGNMENT: no health worker may write them."""

TYPES = tuple(sorted((*CLINICAL, *ASSIGNMENT, *CONFIGURATION)))
METHODS = ("GET", "POST", "PUT", "DELETE", "PATCH")

CUSTOM_ROLES = (
    "GET_LOCATIONHIERARCHY", "GET_PRACTITIONERDETAIL",
    "GET_DATAIMPORT", "POST_DATAIMPORT", "MANAGE_DATAIMPORT",
)  # fmt: skip

USER_ADMINISTRATION = ("manage-users", "view-users", "query-users", "query-groups")
"""Client roles of ``realm-management`` that FHIR Web's user pages need (realm-admin is not)."""


def role(method: str, resource_type: str) -> str:
    """Return a role's name, such as ``GET_PATIENT``."""
    return f"{method}_{resource_type.upper()}"


def _roles(methods: tuple[str, ...], types: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(role(method, name) for name in types for method in methods)


def catalogue() -> dict[str, str]:
    """Return every realm role that the platform knows: name to description."""
    roles = {
        ANDROID_CLIENT: "Uses the Android app. Exclusive with WEB_CLIENT.",
        WEB_CLIENT: "Uses FHIR Web or is a service. Exclusive with ANDROID_CLIENT.",
        SUPERVISOR: "Sees the practitioners who are assigned to them.",
        ALL_LOCATIONS: "May choose locations to synchronise.",
        SUPERSET_ADMINISTRATOR: "Administers Superset.",
        SUPERSET_ANALYST: "Queries the warehouse in Superset, persons' data included.",
        SUPERSET_VIEWER: "Sees the dashboards: numbers of groups, no person.",
    }
    for name in TYPES:
        for method in METHODS:
            roles[role(method, name)] = f"May {method} {name}."
        roles[role("MANAGE", name)] = f"May GET, POST, PUT and DELETE {name}."
    for custom in CUSTOM_ROLES:
        method, _, target = custom.partition("_")
        roles[custom] = f"May {method} {target}."
    return roles


@dataclass(frozen=True)
class Group:
    """A Keycloak group and the roles that its members get."""

    name: str
    realm_roles: tuple[str, ...]
    client_roles: dict[str, tuple[str, ...]] = field(default_factory=dict)


def groups() -> tuple[Group, ...]:
    """Return the platform's groups. Nobody belongs to both an Android and a web group."""
    return (
        Group(
            ANDROID_GROUP,
            (
                ANDROID_CLIENT,
                *_roles(("GET", "POST", "PUT", "PATCH"), CLINICAL),
                *_roles(("GET",), ASSIGNMENT),
                *_roles(("GET",), CONFIGURATION),
                "GET_LOCATIONHIERARCHY",
                "GET_PRACTITIONERDETAIL",
            ),
        ),
        Group(
            WEB_GROUP,
            (
                WEB_CLIENT,
                *_roles(("GET",), TYPES),
                "GET_LOCATIONHIERARCHY",
                "GET_PRACTITIONERDETAIL",
            ),
        ),
        Group(SUPERVISOR_GROUP, (SUPERVISOR,)),
        Group(
            ADMINISTRATOR_GROUP,
            (SUPERSET_ADMINISTRATOR, *_roles(("MANAGE",), (*ASSIGNMENT, *CONFIGURATION, "Group"))),
            {"realm-management": USER_ADMINISTRATION},
        ),
        Group(VIEWER_GROUP, (SUPERSET_VIEWER,)),
        Group(ANALYST_GROUP, (SUPERSET_ANALYST,)),
    )


def pipeline_roles() -> tuple[str, ...]:
    """Return the realm roles of the pipelines' service account: to read, and nothing else."""
    return (WEB_CLIENT, *_roles(("GET",), TYPES))
