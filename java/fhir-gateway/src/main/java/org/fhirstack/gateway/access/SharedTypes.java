package org.fhirstack.gateway.access;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.Set;
import org.fhirstack.gateway.Refusal;
import org.fhirstack.gateway.sync.Lookups;

/**
 * What is everybody's: it decides what other users are, get or see, so it comes from those who administer, whatever
 * roles an Android user has.
 */
final class SharedTypes {
    /** Who belongs where, what applications are made of, and what makes the server do things. */
    private static final Set<String> ADMINISTERED = Set.of(
            "CareTeam", "HealthcareService", "Organization", "OrganizationAffiliation", "Practitioner",
            "PractitionerRole",
            "ActivityDefinition", "Composition", "ImplementationGuide", "Library", "Measure", "Parameters",
            "PlanDefinition", "Questionnaire", "StructureMap",
            "CapabilityStatement", "CodeSystem", "CompartmentDefinition", "ConceptMap", "GraphDefinition",
            "MessageDefinition", "NamingSystem", "OperationDefinition", "SearchParameter", "StructureDefinition",
            "Subscription", "ValueSet");
    /** "Assigned practitioner" of SNOMED CT: the Group that FHIR Web makes for each user. */
    private static final String ASSIGNED = "405623001";

    private SharedTypes() {
    }

    static void needWriter(String type, Access access) {
        if (access.user.android() && ADMINISTERED.contains(type)) {
            throw Refusal.denied("shared-type", type + " decides what other users get, so Android users cannot write"
                    + " it.");
        }
    }

    /** Of types that Android users do write: what would assign others, or change their places. */
    static void needHarmless(JsonNode resource, String type, Access access) {
        if (!access.user.android()) {
            return;
        }
        if (type.equals("Group")) {
            for (JsonNode coding : resource.path("code").path("coding")) {
                if (coding.path("code").asText("").trim().equals(ASSIGNED)) {
                    throw Refusal.denied("shared-type", "a Group of code " + ASSIGNED + " assigns practitioners, so"
                            + " Android users cannot write it.");
                }
            }
        }
        if (type.equals("Location") && resource.has("partOf")) {
            needOwnLocation("partOf", resource.path("partOf"), access);
        }
        // A List about a location makes it one with an inventory.
        if (type.equals("List") && resource.path("subject").path("reference").asText("").contains("Location/")) {
            needOwnLocation("subject", resource.path("subject"), access);
        }
    }

    private static void needOwnLocation(String element, JsonNode reference, Access access) {
        if (!access.locations().contains(String.valueOf(Lookups.id(reference, "Location")))) {
            throw Refusal.denied("shared-type", "its " + element + " must be one of the locations that you are assigned"
                    + " to, or below.");
        }
    }
}
