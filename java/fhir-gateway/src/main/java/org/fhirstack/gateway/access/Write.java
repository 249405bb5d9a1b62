package org.fhirstack.gateway.access;

import com.fasterxml.jackson.databind.JsonNode;
import org.fhirstack.gateway.request.Query;

/** One write, single or of a bundle: from what was asked to what the backend gets. */
final class Write {
    final String type;
    /** Null for a create and for a conditional write. */
    final String id;
    /** Which resource is meant, instead of an id; null without. */
    final Query condition;
    String method;
    /** Null for a DELETE. */
    JsonNode resource;
    /** The version that must be the current one, as an ETag; null without. */
    String ifMatch;

    Write(String method, String type, String id, Query condition, JsonNode resource, String ifMatch) {
        this.method = method;
        this.type = type;
        this.id = id;
        this.condition = condition;
        this.resource = resource;
        this.ifMatch = ifMatch;
    }

    /** The URL below the base. */
    String url() {
        return id != null ? type + "/" + id : condition == null ? type : type + "?" + condition.encode();
    }
}
