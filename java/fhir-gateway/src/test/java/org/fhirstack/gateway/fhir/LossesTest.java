package org.fhirstack.gateway.fhir;

import static org.junit.jupiter.api.Assertions.assertEquals;

import ca.uhn.fhir.context.FhirContext;
import ca.uhn.fhir.parser.LenientErrorHandler;
import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.fhirstack.gateway.Cases;
import org.fhirstack.gateway.Json;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

/** What senders are told that HAPI loses is what its parser loses, no less and no more. */
class LossesTest {
    private static final FhirContext FHIR = FhirContext.forR4();

    static {
        FHIR.setParserErrorHandler(new LenientErrorHandler(false));
        // As HAPI's JPA server has it (FhirContextR4Config).
        FHIR.getParserOptions().setDontStripVersionsFromReferencesAtPaths("AuditEvent.entity.what");
    }

    @TestFactory
    Stream<DynamicTest> toldAndLost() throws IOException {
        return Cases.of("losses.json", one -> {
            JsonNode resource = one.path("resource");
            Structure.check(resource);
            List<String> told = new ArrayList<>();
            Losses.of(resource).forEach(text -> told.add(text.replace(" is kept without its version", "")));
            assertEquals(Cases.texts(one.path("lost")), told);
            String kept = FHIR.newJsonParser().encodeResourceToString(FHIR.newJsonParser().parseResource(
                    new String(Json.write(resource), StandardCharsets.UTF_8)));
            List<String> lost = new ArrayList<>();
            compare(resource, Json.read(kept.getBytes(StandardCharsets.UTF_8)), resource.path("resourceType").asText(),
                    lost);
            assertEquals(told, lost);
        });
    }

    private static void compare(JsonNode sent, JsonNode kept, String path, List<String> lost) {
        if (sent.isValueNode()) {
            if (!sent.asText().equals(kept.asText())) {
                lost.add(path);
            }
            return;
        }
        for (int i = 0; sent.isArray() && i < sent.size(); i++) {
            compare(sent.get(i), kept.path(i), path + "[" + i + "]", lost);
        }
        sent.properties().forEach(member -> compare(member.getValue(), kept.path(member.getKey()), path + "."
                + member.getKey(), lost));
    }
}
