package org.fhirstack.gateway;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.fhirstack.gateway.config.ConfigurationException;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.io.TempDir;

/**
 * What phones and pages write: forms and their corrections, tags, moves. A case's {@code write} is short for entries: a
 * resource is a PUT, {@code patch} with {@code of} a JSON Patch as the app sends it, {@code delete} a DELETE; a tag is
 * {@code name|code}, {@code name} alone for one without a code, or a Coding. {@code alone} sends its only PUT by itself.
 */
class UploadsTest {
    private static final String TAGS = "https://smartregister.org/";
    private static final List<String> ROLES = List.of("MANAGE", "PATCH", "POST");
    private static final List<String> TYPES = List.of("PATIENT", "QUESTIONNAIRERESPONSE", "GROUP", "OBSERVATION",
            "MEASUREREPORT", "AUDITEVENT", "LIST", "BINARY", "LOCATION", "CARETEAM", "PRACTITIONER", "PRACTITIONERROLE",
            "ORGANIZATIONAFFILIATION", "COMPOSITION", "QUESTIONNAIRE", "SEARCHPARAMETER");
    @TempDir
    static Path directory;
    private static TestGateway gateway;

    @BeforeAll
    static void start() throws IOException, ConfigurationException, InterruptedException {
        gateway = new TestGateway(directory, Map.of());
    }

    @AfterAll
    static void stop() {
        gateway.close();
    }

    @TestFactory
    Stream<DynamicTest> uploads() throws IOException {
        return Cases.of("uploads.json", one -> gateway.check(spelled(one)));
    }

    private static ObjectNode spelled(JsonNode one) {
        ObjectNode whole = one.deepCopy();
        if (!whole.has("as")) {
            whole.put("as", "asha");
        }
        if (!whole.has("roles")) {
            ArrayNode roles = whole.putArray("roles");
            ROLES.forEach(role -> TYPES.forEach(type -> roles.add(role + "_" + type)));
        }
        ArrayNode entries = Json.array();
        one.path("write").forEach(write -> entries.add(entry(write)));
        if (one.path("alone").asBoolean()) {
            JsonNode only = entries.get(0);
            whole.put("method", only.path("request").path("method").asText());
            whole.put("path", "/" + only.path("request").path("url").asText());
            whole.set("body", only.path("resource"));
            if (one.path("write").path(0).has("patch")) {
                whole.set("body", one.path("write").path(0).path("patch"));
                ObjectNode headers = whole.withObject("/headers");
                if (!headers.has("Content-Type")) {
                    headers.put("Content-Type", "application/json-patch+json");
                }
            }
            return whole;
        }
        whole.put("method", "POST").put("path", "");
        whole.set("body", Json.object().put("resourceType", "Bundle").put("type", one.path("type").asText("transaction"))
                .set("entry", entries));
        return whole;
    }

    private static ObjectNode entry(JsonNode write) {
        ObjectNode entry = Json.object();
        ObjectNode request = entry.putObject("request");
        if (write.has("delete")) {
            request.put("method", "DELETE").put("url", write.path("delete").asText());
        } else if (write.has("patch")) {
            request.put("method", "PATCH").put("url", write.path("of").asText());
            entry.putObject("resource").put("resourceType", "Binary").put("contentType", "application/json-patch+json")
                    .put("data", Base64.getEncoder().encodeToString(Json.write(write.path("patch"))));
        } else if (write.has("fhirpath")) {
            request.put("method", "PATCH").put("url", write.path("of").asText());
            entry.set("resource", write.path("fhirpath"));
        } else {
            ObjectNode resource = write.deepCopy();
            String condition = resource.path("if").asText(null);
            resource.remove("if");
            if (resource.path("meta").path("tag") instanceof ArrayNode tags) {
                ArrayNode codings = Json.array();
                tags.forEach(tag -> codings.add(tag.isObject() ? tag : coding(tag.asText())));
                ((ObjectNode) resource.path("meta")).set("tag", codings);
            }
            request.put("method", "PUT").put("url", resource.path("resourceType").asText() + (condition == null ? "/"
                    + resource.path("id").asText() : "?" + condition));
            entry.set("resource", resource);
        }
        if (write.has("ifMatch")) {
            request.set("ifMatch", write.path("ifMatch"));
            if (entry.path("resource") instanceof ObjectNode resource) {
                resource.remove("ifMatch");
            }
        }
        return entry;
    }

    private static ObjectNode coding(String tag) {
        int bar = tag.indexOf('|');
        ObjectNode coding = Json.object().put("system", TAGS + (bar < 0 ? tag : tag.substring(0, bar)));
        return bar < 0 ? coding.put("display", "x") : coding.put("code", tag.substring(bar + 1));
    }
}
