package org.fhirstack.gateway.request;

import org.fhirstack.gateway.fhir.Definitions;

/** The resource types of FHIR R4 (4.0.1). */
public final class FhirTypes {
    private FhirTypes() {
    }

    public static boolean known(String name) {
        return Definitions.resource(name);
    }
}
