package org.fhirstack.gateway.access;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.fhirstack.gateway.Refusal;
import org.fhirstack.gateway.request.Query;

/** One write, single or of a bundle: from what was asked to what the backend gets. */
final class Write {
    /** HAPI reads more than that as a version (+1, 01, digits of other scripts); two readers must see one. */
    private static final Pattern VERSION = Pattern.compile("(?:W/)?\"([1-9][0-9]{0,17})\"|([1-9][0-9]{0,17})");
    final String type;
    /** Null for a create and for a conditional write. */
    final String id;
    /** Which resource is meant, instead of an id; null without. */
    final Query condition;
    String method;
    /** Null for a DELETE. */
    JsonNode resource;
    /** The version that must be the current one; null without. */
    String expected;

    Write(String method, String type, String id, Query condition, JsonNode resource, String ifMatch) {
        this.method = method;
        this.type = type;
        this.id = id;
        this.condition = condition;
        this.resource = resource;
        this.expected = ifMatch == null ? null : version(ifMatch);
    }

    private static String version(String etag) {
        Matcher found = VERSION.matcher(etag);
        if (!found.matches()) {
            throw Refusal.malformed("If-Match (ifMatch) must be one version as an answer's ETag names it, W/\"3\".");
        }
        return found.group(1) == null ? found.group(2) : found.group(1);
    }

    /** The version that must be the current one, as an ETag; null without. */
    String ifMatch() {
        return expected == null ? null : "W/\"" + expected + "\"";
    }

    /** The URL below the base. */
    String url() {
        return id != null ? type + "/" + id : condition == null ? type : type + "?" + condition.encode();
    }
}
