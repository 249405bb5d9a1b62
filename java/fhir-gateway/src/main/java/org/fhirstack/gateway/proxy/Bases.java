package org.fhirstack.gateway.proxy;

import jakarta.servlet.http.HttpServletRequest;
import java.util.Collections;
import java.util.List;
import java.util.Set;
import org.fhirstack.gateway.Refusal;

/**
 * The FHIR bases under which clients reach the gateway. The edge tells by a header which one a request came to, and
 * deletes that header from what clients send; {@code X-Forwarded-*} is never read.
 *
 * @param usual      without the header
 * @param alternates all others that the header may name
 */
public record Bases(String usual, Set<String> alternates) {
    static final String HEADER = "X-Fhir-Base";

    /** The base that all links of an answer carry; 400 when the header names one that is not known. */
    String of(HttpServletRequest request) {
        List<String> given = Collections.list(request.getHeaders(HEADER));
        if (given.isEmpty()) {
            return usual;
        }
        if (given.size() > 1 || !given.get(0).equals(usual) && !alternates.contains(given.get(0))) {
            throw Refusal.malformed("The header " + HEADER + " does not name a base of this gateway.");
        }
        return given.get(0);
    }
}
