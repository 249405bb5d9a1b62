"""The role catalogue and the groups. Source: OpenSRP's role seed and what its apps read.

``MANAGE_<TYPE>`` is a plain role, not a composite of four: the gateway and FHIR Web both read it
as all four, and tokens stay small (reference/OpenSRP: composite roles filled headers with tokens
above 8 KB).
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from fhirstack.model.records import (
    ASSIGNMENT,
    CONFIGURATION,
    REMOVED,
    SHARED,
    TYPES,
    WRITTEN,
)

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
TRANSFER_GROUP = "RECORD_TRANSFER"

METHODS = ("GET", "POST", "PUT", "DELETE", "PATCH")

MANAGE_USERS = "MANAGE_IAM_USER"
"""FHIR Web shows its user pages to whoever has it. For Keycloak it is no right: those come from
the permissions (``permissions.py``)."""

CUSTOM_ROLES = (
    "GET_LOCATIONHIERARCHY", "GET_PRACTITIONERDETAIL",
    "GET_DATAIMPORT", "POST_DATAIMPORT", "MANAGE_DATAIMPORT", MANAGE_USERS,
)  # fmt: skip

MANAGED = (*ASSIGNMENT, *CONFIGURATION, *SHARED, "Device", "Group")
"""The types that administrators administer."""

MEMBER_GROUPS = (
    ANDROID_GROUP, WEB_GROUP, SUPERVISOR_GROUP, VIEWER_GROUP, ANALYST_GROUP, TRANSFER_GROUP,
)  # fmt: skip
"""The groups whose members ADMINISTRATOR chooses: all but its own."""

PERSONAL_ROLES = (ALL_LOCATIONS, SUPERVISOR)
"""Roles that one person may well have beside a group's."""

USER_ADMINISTRATION = ("query-users", "query-groups")
"""Client roles of ``realm-management`` that open the lists of users and groups. ``view-users`` and
``manage-users`` would go round the fine-grained permissions."""


def role(method: str, resource_type: str) -> str:
    """Return a role's name, such as ``GET_PATIENT``."""
    return f"{method}_{resource_type.upper()}"


def _roles(methods: tuple[str, ...], types: Iterable[str]) -> tuple[str, ...]:
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


def groups(written: Iterable[str], web_written: Iterable[str] = ()) -> tuple[Group, ...]:
    """Return the platform's groups; health workers write the types ``written``.

    Administrators write those of ``web_written`` in FHIR Web, beside what they administer. Nobody
    belongs to both an Android and a web group.
    """
    read = {*WRITTEN, *ASSIGNMENT, *CONFIGURATION}
    return (
        Group(
            ANDROID_GROUP,
            (
                ANDROID_CLIENT,
                *_roles(("GET", "POST", "PUT", "PATCH"), written),
                *_roles(("DELETE",), (name for name in REMOVED if name in written)),
                *_roles(("GET",), sorted(read - set(written))),
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
            (
                SUPERSET_ADMINISTRATOR,
                MANAGE_USERS,
                *_roles(("MANAGE",), MANAGED),
                *_roles(("PUT",), (name for name in web_written if name not in MANAGED)),
            ),
            {"realm-management": USER_ADMINISTRATION},
        ),
        # Beside WEB_GROUP, whose members read all teams' records: to write them with another's tag.
        # An administrator could do as much by belonging to both teams.
        # Places say who reads what: those who may move records may not move them.
        Group(TRANSFER_GROUP, _roles(("PUT",), (n for n in written if n not in ASSIGNMENT))),
        Group(VIEWER_GROUP, (SUPERSET_VIEWER,)),
        Group(ANALYST_GROUP, (SUPERSET_ANALYST,)),
    )


def pipeline_roles() -> tuple[str, ...]:
    """Return the realm roles of the pipelines' service account: to read, and nothing else."""
    return (WEB_CLIENT, *_roles(("GET",), TYPES))
