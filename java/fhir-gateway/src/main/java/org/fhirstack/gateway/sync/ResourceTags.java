package org.fhirstack.gateway.sync;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.ArrayList;
import java.util.List;

/** Reads the codes that a resource carries in one tag system. */
public final class ResourceTags {
    private ResourceTags() {
    }

    public static List<String> codes(JsonNode resource, String system) {
        List<String> codes = new ArrayList<>();
        for (JsonNode tag : resource.path("meta").path("tag")) {
            if (system.equals(tag.path("system").asText(null))) {
                codes.add(tag.path("code").asText(""));
            }
        }
        return codes;
    }
}
