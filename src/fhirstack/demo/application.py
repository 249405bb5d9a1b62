"""The demo's OpenSRP application: what the Android app fetches before and after login.

An ImplementationGuide names the Composition for the versions of the app that can read it. The
Composition lists the configurations, each a Binary of base64 JSON, and the forms. Source: the app's
own samples, opensrp/fhircore ``android/quest/src/main/assets/configs/app``, and its documentation
``docs/engineering/app/configuring/config-types/ImplementationGuide.mdx``; what the gateway needs
of them is the section ``application`` and, in it, ``syncStrategy``.
"""

import base64
import json
from typing import Any

from fhirstack.demo.fhir import LOINC, SNOMED, Resource, coding, concept, references
from fhirstack.demo.places import organization
from fhirstack.model.site import Application

HOUSEHOLD_QUESTIONNAIRE_ID = "demo-questionnaire-household"
COMPOSITION_ID = "demo-composition"
SYNC_PARAMETERS_ID = "demo-parameters-sync"

# The app filters households by this system, not by SNOMED CT's own URI.
HOUSEHOLD_CODE = coding("https://www.snomed.org", "35359004", "Family")

SYNCED_TYPES = (
    "CarePlan",
    "Condition",
    "Encounter",
    "Group",
    "Immunization",
    "Location",
    "MedicationRequest",
    "Observation",
    "Patient",
    "Questionnaire",
    "QuestionnaireResponse",
)

Config = dict[str, Any]


def declared(app_id: str = "opensrp") -> Application:
    """Return the application with the ids of what the app reads before login.

    That is the Composition and the Binaries and Parameters that it names, and nothing else.
    """
    resources = application_resources(app_id, sync_strategy="CareTeam")
    (composition,) = (r for r in resources if r["resourceType"] == "Composition")
    named = [reference.partition("/") for reference in references(composition)]
    return Application(
        id=app_id,
        public_compositions=(composition["id"],),
        public_binaries=tuple(name for kind, _, name in named if kind == "Binary"),
        public_parameters=tuple(name for kind, _, name in named if kind == "Parameters"),
    )


def application_resources(app_id: str, sync_strategy: str) -> list[Resource]:
    """Return what the Composition names, the Composition, and, last, the guide that names it.

    ``type`` and ``category`` of the Composition are what FHIR Web's application list asks for.
    """
    sections = [
        ("application", "Application configuration", _application(app_id, sync_strategy)),
        ("sync", "Sync configuration", _sync()),
        ("navigation", "Navigation configuration", _navigation(app_id)),
    ]
    registers = [("householdRegister", "Household register", _register(app_id))]
    profiles = [("householdProfile", "Household profile", _profile(app_id))]
    nested = [
        ("Register configurations", [_configuration(*one) for one in registers]),
        ("Profile configurations", [_configuration(*one) for one in profiles]),
        ("Questionnaires", [_form()]),
    ]
    composition: Resource = {
        "resourceType": "Composition",
        "id": COMPOSITION_ID,
        "identifier": {"use": "official", "value": app_id},
        "status": "final",
        "type": concept(coding(LOINC, "11503-0", "Medical records")),
        "category": [concept(coding(SNOMED, "1156600005", "Device setting parameter"))],
        "date": "2024-01-01",
        "author": [organization("kalanda").reference],
        "title": "Demo programme",
        "section": [
            *(_configuration(*one) for one in sections),
            _parameters_section(),
            *({"title": title, "mode": "working", "section": inner} for title, inner in nested),
        ],
    }
    binaries = [_binary(name, config) for name, _, config in (*sections, *registers, *profiles)]
    return [*binaries, _parameters(), _questionnaire(), composition, _guide(app_id)]


def _binary_id(name: str) -> str:
    kebab = "".join(f"-{char.lower()}" if char.isupper() else char for char in name)
    return f"demo-binary-{kebab}"


def _configuration(name: str, title: str, _: Config) -> Resource:
    focus = {"reference": f"Binary/{_binary_id(name)}", "identifier": {"value": name}}
    return _section(title, focus)


def _form() -> Resource:
    reference = f"Questionnaire/{HOUSEHOLD_QUESTIONNAIRE_ID}"
    focus = {"reference": reference, "identifier": {"value": "household-registration"}}
    return _section("Register a household", focus)


def _parameters_section() -> Resource:
    # Without an identifier: the app takes what has one for the name of a Binary, which it then
    # does not find, and says that the application is not supported.
    return _section("Sync parameters", {"reference": f"Parameters/{SYNC_PARAMETERS_ID}"})


def _section(title: str, focus: Resource) -> Resource:
    # FHIR asks for text where a section has no entries (cmp-1); the app and the gateway do not.
    text = f'<div xmlns="http://www.w3.org/1999/xhtml">{title}</div>'
    return {
        "title": title,
        "text": {"status": "generated", "div": text},
        "mode": "working",
        "focus": focus,
    }


def _binary(name: str, config: Config) -> Resource:
    data = json.dumps(config, ensure_ascii=False, separators=(",", ":")).encode()
    return {
        "resourceType": "Binary",
        "id": _binary_id(name),
        "contentType": "application/json",
        "data": base64.b64encode(data).decode(),
    }


def _application(app_id: str, sync_strategy: str) -> Config:
    return {
        "appId": app_id,
        "configType": "application",
        "theme": "DEFAULT",
        "appTitle": "Demo programme",
        "remoteSyncPageSize": 100,
        "languages": ["en"],
        "useDarkTheme": False,
        "syncInterval": 15,
        "syncStrategy": [sync_strategy],
        "loginConfig": {"showLogo": True, "enablePin": True},
        "deviceToDeviceSync": {"resourcesToSync": list(SYNCED_TYPES)},
    }


def _sync() -> Config:
    def parameter(name: str, extra: Config) -> Config:
        search = {"resourceType": "SearchParameter", "name": name, "code": f"_{name}"}
        return {"resource": {**search, "base": list(SYNCED_TYPES), **extra}}

    return {
        "resourceType": "Parameters",
        "configType": "sync",
        "parameter": [
            parameter("id", {"type": "token"}),
            parameter("count", {"type": "token", "expression": "#count"}),
        ],
    }


def _parameters() -> Resource:
    """Return the sync configuration as FHIR's own resource, which the app keeps beside it."""
    found = {key: value for key, value in _sync().items() if key != "configType"}
    return {**found, "id": SYNC_PARAMETERS_ID}


def _guide(app_id: str) -> Resource:
    """Return the guide for all versions of the app.

    It names no version of the Composition: the app asks for ``_history/`` and takes the newest.
    Asked for ``_history/n`` it would get a Composition where it reads a Bundle, and stop.
    """
    version = {"low": {"value": 1}}
    program = coding(
        "http://terminology.hl7.org/CodeSystem/usage-context-type", "program", "Program"
    )
    return {
        "resourceType": "ImplementationGuide",
        "id": "demo-guide",
        "url": "https://smartregister.org/demo/ImplementationGuide/demo-guide",
        "version": "1",
        "name": app_id,
        "title": "Demo programme",
        "status": "active",
        "date": "2024-01-01",
        "packageId": "org.smartregister.demo",
        "fhirVersion": ["4.0.1"],
        "useContext": [{"code": program, "valueRange": version}],
        "definition": {"resource": [{"reference": {"reference": f"Composition/{COMPOSITION_ID}"}}]},
    }


def _navigation(app_id: str) -> Config:
    return {
        "appId": app_id,
        "configType": "navigation",
        "staticMenu": [],
        "clientRegisters": [
            {
                "id": "householdRegister",
                "display": "Households",
                "showCount": True,
                "menuIconConfig": {"type": "local", "reference": "ic_households"},
                "actions": [
                    {
                        "trigger": "ON_CLICK",
                        "workflow": "LAUNCH_REGISTER",
                        "id": "householdRegister",
                    }
                ],
            }
        ],
    }


def _rule(name: str, resource: str, path: str) -> Config:
    action = f"data.put('{name}', fhirPath.extractValue({resource}, '{path}'))"
    return {"name": name, "condition": "true", "actions": [action]}


def _text(primary: str) -> Config:
    return {"viewType": "COMPOUND_TEXT", "primaryText": primary, "primaryTextColor": "#000000"}


def _register(app_id: str) -> Config:
    code = {"system": HOUSEHOLD_CODE["system"], "code": HOUSEHOLD_CODE["code"]}
    return {
        "appId": app_id,
        "configType": "register",
        "id": "householdRegister",
        "fhirResource": {
            "baseResource": {
                "resource": "Group",
                "dataQueries": [
                    {
                        "paramName": "code",
                        "filterCriteria": [{"dataType": "CODE", "value": code}],
                    }
                ],
            },
            "relatedResources": [
                {"resource": "Patient", "isRevInclude": False, "searchParameter": "member"}
            ],
        },
        "searchBar": {"visible": True, "display": "Search", "computedRules": ["familyName"]},
        "registerCard": {
            "rules": [
                _rule("familyName", "Group", "Group.name"),
                _rule("familyId", "Group", "Group.identifier[1].value"),
                _rule("village", "Group", "Group.characteristic[0].code.text"),
            ],
            "views": [_text("@{familyName} family"), _text("@{village} - No. @{familyId}")],
        },
        "noResults": {
            "title": "No households",
            "message": "No household is registered yet.",
            "actionButton": {
                "id": "registerHousehold",
                "visible": True,
                "display": "Register a household",
                "actions": [
                    {
                        "trigger": "ON_CLICK",
                        "workflow": "LAUNCH_QUESTIONNAIRE",
                        "questionnaire": {
                            "id": HOUSEHOLD_QUESTIONNAIRE_ID,
                            "title": "Register a household",
                        },
                    }
                ],
            },
        },
    }


def _profile(app_id: str) -> Config:
    return {
        "appId": app_id,
        "configType": "profile",
        "id": "householdProfile",
        "fhirResource": {
            "baseResource": {"resource": "Group"},
            "relatedResources": [
                {"resource": "Patient", "isRevInclude": False, "searchParameter": "member"}
            ],
        },
        "rules": [_rule("familyName", "Group", "Group.name")],
        "views": [_text("@{familyName} family")],
    }


def _questionnaire() -> Resource:
    questions = (
        ("family-name", "Family name", "string"),
        ("head-name", "Name of the head of the household", "string"),
        ("child-name", "Name of the youngest child", "string"),
        ("visit-date", "Date of the visit", "date"),
    )
    return {
        "resourceType": "Questionnaire",
        "id": HOUSEHOLD_QUESTIONNAIRE_ID,
        "status": "active",
        "name": "DemoHousehold",
        "title": "Register a household",
        "subjectType": ["Group"],
        "date": "2024-01-01",
        "item": [
            {"linkId": link, "text": text, "type": kind, "required": True}
            for link, text, kind in questions
        ],
    }
