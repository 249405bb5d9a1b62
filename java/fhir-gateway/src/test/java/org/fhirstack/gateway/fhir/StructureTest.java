package org.fhirstack.gateway.fhir;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.Base64;
import java.util.stream.Stream;
import org.fhirstack.gateway.Cases;
import org.fhirstack.gateway.ElementPath;
import org.fhirstack.gateway.Json;
import org.fhirstack.gateway.Refusal;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

/** What is refused because FHIR has no such shape, with the place; and what is taken, and how it is written. */
class StructureTest {

    private static JsonNode read(JsonNode one) {
        JsonNode body = one.path("body");
        return Json.read(one.has("bytes") ? Base64.getDecoder().decode(one.path("bytes").asText())
                : body.isTextual() ? body.asText().getBytes(StandardCharsets.UTF_8) : Json.write(body));
    }

    @TestFactory
    Stream<DynamicTest> resources() throws IOException {
        return Cases.of("shapes.json", one -> {
            if (one.has("says")) {
                Refusal refusal = assertThrows(Refusal.class, () -> Structure.check(read(one)));
                assertEquals(400, refusal.status());
                assertTrue(refusal.getMessage().contains(one.path("says").asText()), refusal.getMessage());
                return;
            }
            JsonNode given = read(one);
            JsonNode checked = given.deepCopy();
            Structure.check(checked);
            assertEquals(one.path("becomes").isMissingNode() ? given : one.path("becomes"), checked);
        });
    }

    @TestFactory
    Stream<DynamicTest> patches() throws IOException {
        return Cases.of("patches.json", one -> {
            if (one.has("says")) {
                Refusal refusal = assertThrows(Refusal.class, () -> PatchStructure.check(one.path("operation"),
                        one.path("type").asText(), ElementPath.of("patch")));
                assertEquals(400, refusal.status());
                assertTrue(refusal.getMessage().contains(one.path("says").asText()), refusal.getMessage());
                return;
            }
            JsonNode becomes = one.path("becomes").isMissingNode() ? one.path("operation") : one.path("becomes");
            assertEquals(becomes.toString(), PatchStructure.check(one.path("operation"), one.path("type").asText(),
                    ElementPath.of("patch")).toString());
        });
    }
}
