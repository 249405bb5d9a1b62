package org.fhirstack.gateway.custom;

import com.fasterxml.jackson.databind.JsonNode;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.time.OffsetDateTime;
import java.time.format.DateTimeParseException;
import org.fhirstack.gateway.Json;
import org.fhirstack.gateway.sync.Lookups;

/**
 * A Location, compactly: thousands of them are kept in memory.
 *
 * @param parent      id of the location that it is part of; null when there is none
 * @param level       administrative level, -1 when it has none
 * @param lastUpdated null when the backend does not tell
 * @param json        the whole resource
 */
record Place(String id, String parent, String name, int level, Instant lastUpdated, byte[] json) {
    /** FHIR Web writes one of two systems, by its version; both end in this. */
    private static final String LEVEL = "/administrative-level";

    static Place of(JsonNode location) {
        return new Place(location.path("id").asText(), Lookups.id(location.path("partOf"), "Location"),
                location.path("name").asText(""), level(location), time(location), Json.write(location));
    }

    private static int level(JsonNode location) {
        for (JsonNode type : location.path("type")) {
            for (JsonNode coding : type.path("coding")) {
                String code = coding.path("code").asText("");
                if (coding.path("system").asText("").endsWith(LEVEL) && code.matches("[0-9]{1,3}")) {
                    return Integer.parseInt(code);
                }
            }
        }
        return -1;
    }

    private static Instant time(JsonNode location) {
        try {
            return OffsetDateTime.parse(location.path("meta").path("lastUpdated").asText("")).toInstant();
        } catch (DateTimeParseException e) {
            return null;
        }
    }

    String text() {
        return new String(json, StandardCharsets.UTF_8);
    }
}
