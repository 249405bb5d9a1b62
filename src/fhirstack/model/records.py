"""FHIR's types as a programme uses them: what is written in the field, and what decides access.

Sources: FHIR R4; what OpenSRP's app writes by itself (QuestionnaireResponse, MeasureReport,
AuditEvent, List) and what the extraction of its forms may make.
"""

from typing import Annotated

from pydantic import AfterValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

WRITTEN = (
    "AdverseEvent", "AllergyIntolerance", "Appointment", "AuditEvent", "Basic", "CarePlan",
    "Communication", "CommunicationRequest", "Condition", "Consent", "Coverage", "Device",
    "DiagnosticReport", "DocumentReference", "Encounter", "EpisodeOfCare", "Flag", "Goal", "Group",
    "Immunization", "List", "MeasureReport", "Media", "Medication", "MedicationAdministration",
    "MedicationDispense", "MedicationRequest", "MedicationStatement", "Observation", "Patient",
    "Procedure", "QuestionnaireResponse", "RelatedPerson", "RiskAssessment", "ServiceRequest",
    "Specimen", "SupplyDelivery", "SupplyRequest", "Task",
)  # fmt: skip
"""What health workers write unless the site says otherwise: what the app and its forms make."""

REMOVED = ("MeasureReport", "RelatedPerson")
"""What the app deletes by itself: a report that it computed again, the head of a household that has
another one. All else is marked as inactive (opensrp/fhircore ``DefaultRepository``,
``MeasureReportWorker``). A deletion that is refused stops a device's uploads for good."""

WRITABLE = tuple(
    sorted(
        (
            *WRITTEN,
            # Service points that the app's map makes: the gateway wants them below an own place.
            "Location",
            "AppointmentResponse", "BodyStructure", "ClinicalImpression", "DetectedIssue",
            "DeviceRequest", "DeviceUseStatement", "FamilyMemberHistory", "ImagingStudy",
            "ImmunizationEvaluation", "ImmunizationRecommendation", "NutritionOrder", "Person",
            "Provenance", "RequestGroup", "Schedule", "Slot", "VisionPrescription",
        )
    )
)  # fmt: skip
"""What a site may let health workers write: records of people, stock and services."""

WEB_WRITTEN = ("Encounter", "Flag", "Observation", "QuestionnaireResponse")
"""What FHIR Web's pages write beside what administrators administer: a filled-in questionnaire, and
what closes a flag (onaio/fhir-web ``fhir-quest-form``, ``fhir-flag``)."""

ASSIGNMENT = (
    "CareTeam", "HealthcareService", "Location", "Organization", "OrganizationAffiliation",
    "Practitioner", "PractitionerRole",
)  # fmt: skip
"""Who works where: what administrators write."""

CONFIGURATION = (
    "ActivityDefinition", "Binary", "CodeSystem", "Composition", "ConceptMap",
    "ImplementationGuide", "Library", "Measure", "Parameters", "PlanDefinition", "Questionnaire",
    "StructureDefinition", "StructureMap", "ValueSet",
)  # fmt: skip
"""What the programme's applications are made of. The sync filter does not hold these types and
those of ASSIGNMENT: but for a Location no health worker may ever write them."""

SHARED = ("Basic", "List")
"""Written by health workers, and by the programme as configuration: administrators write them too,
and what carries no tag of an assignment is the programme's."""

POWERFUL = ("OperationDefinition", "SearchParameter", "Subscription")
"""They make the FHIR server do things for whoever wrote them."""

TYPES = tuple(sorted({*WRITABLE, *ASSIGNMENT, *CONFIGURATION}))
"""The types for which the realm has roles, and which the pipelines carry."""

_REASONS = (
    (ASSIGNMENT, "it says who works where: who writes it chooses what they may read"),
    (CONFIGURATION, "it is the application's configuration, the same for all and read by all"),
    (POWERFUL, "it makes the FHIR server act for whoever wrote it"),
)


def _writable(value: str) -> str:
    if value in WRITABLE:
        return value
    reason = next(
        (why for types, why in _REASONS if value in types), "it is no record of the field"
    )
    raise PydanticCustomError(
        "form",
        "not {kind}: write {write}",
        {
            "kind": f"a type that health workers may write ({reason})",
            "write": "one of those in docs/identity.md, such as Observation",
        },
    )


WritableType = Annotated[
    str,
    AfterValidator(_writable),
    WithJsonSchema({"type": "string", "enum": list(WRITABLE)}),
]
"""A type that a site may let people write. Else an error says why it can never be one."""
