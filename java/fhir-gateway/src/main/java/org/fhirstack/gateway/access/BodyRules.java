package org.fhirstack.gateway.access;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.Map;
import org.fhirstack.gateway.Json;
import org.fhirstack.gateway.Refusal;
import org.fhirstack.gateway.fhir.Structure;
import org.fhirstack.gateway.request.FhirTypes;
import org.fhirstack.gateway.request.Query;

/** What a body must be, and what may be in it. */
final class BodyRules {
    private BodyRules() {
    }

    /** Parses a body that must be a resource of this type, in FHIR's own shape. */
    static JsonNode resource(byte[] content, String type) {
        if (content.length == 0) {
            throw Refusal.malformed("This interaction needs a body.");
        }
        JsonNode node = Json.read(content);
        needType(node, type);
        Structure.check(node);
        return node;
    }

    static void needType(JsonNode node, String type) {
        if (!node.isObject() || !type.equals(node.path("resourceType").asText(null))) {
            throw Refusal.malformed("The body must be a resource of type " + type + ", as the URL says.");
        }
    }

    static void needId(JsonNode node, String id) {
        if (!id.equals(node.path("id").asText(null))) {
            throw Refusal.malformed("The id of the body must be the id of the URL.");
        }
    }

    /** References that are searches ({@code Patient?identifier=…}) read the store: their sender must be allowed to. */
    static void judgeReferences(JsonNode node, Access access) {
        if (node.isArray()) {
            node.forEach(item -> judgeReferences(item, access));
        } else if (node.isObject()) {
            for (Map.Entry<String, JsonNode> member : node.properties()) {
                JsonNode value = member.getValue();
                if (value.isContainerNode()) {
                    judgeReferences(value, access);
                } else if (member.getKey().equals("reference") && value.asText().indexOf('?') >= 0) {
                    matchUrl(value.asText(), access);
                }
            }
        }
    }

    private static void matchUrl(String reference, Access access) {
        String type = needTypeBefore(reference, access);
        access.conditional(type, Query.parse(reference.substring(reference.indexOf('?') + 1)));
    }

    /** The type of a match URL, read as HAPI reads it: what stands between the last slash and the question mark. */
    static String needTypeBefore(String url, Access access) {
        int question = url.indexOf('?');
        String path = (question < 0 ? url : url.substring(0, question)).replaceFirst("/+$", "");
        String type = path.substring(path.lastIndexOf('/') + 1);
        if (!FhirTypes.known(type)) {
            throw Refusal.malformed("A reference or criterion with a question mark must name a resource type.");
        }
        if (access.user.android()) {
            throw Refusal.denied("conditional", "References that search are not allowed for Android users.");
        }
        access.user.need("GET", type);
        return type;
    }
}
