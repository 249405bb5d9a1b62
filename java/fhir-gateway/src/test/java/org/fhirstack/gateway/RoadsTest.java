package org.fhirstack.gateway;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.fhirstack.gateway.config.ConfigurationException;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.io.TempDir;

/** The whole gateway, over HTTP, in front of a fake backend: every road that a request can take. */
class RoadsTest {
    private static final String PUBLIC = TestGateway.PUBLIC;
    @TempDir
    static Path directory;
    private static FakeBackend backend;
    private static TestGateway gateway;

    @BeforeAll
    static void start() throws IOException, ConfigurationException, InterruptedException {
        gateway = new TestGateway(directory, Map.of());
        backend = gateway.backend;
    }

    @AfterAll
    static void stop() {
        gateway.close();
    }

    private static TestGateway.Answer send(String method, String target, Map<String, String> headers, byte[] body)
            throws IOException {
        return gateway.send(method, target, headers, body);
    }

    private static TestGateway.Answer send(JsonNode one) throws IOException {
        return gateway.send(one);
    }

    private static void check(JsonNode one) throws IOException {
        gateway.check(one);
    }

    @TestFactory
    Stream<DynamicTest> single() throws IOException {
        return Cases.of("roads.json", RoadsTest::check);
    }

    /** Types that are a programme's configuration and what health workers write. */
    @TestFactory
    Stream<DynamicTest> shared() throws IOException {
        return Cases.of("shared-types.json", RoadsTest::check);
    }

    /** Types that everybody reads, but for what a tag assigns. */
    @TestFactory
    Stream<DynamicTest> everybodys() throws IOException {
        return Cases.of("everybodys.json", RoadsTest::check);
    }

    @TestFactory
    Stream<DynamicTest> bundles() throws IOException {
        return Cases.of("bundles.json", one -> {
            ObjectNode whole = one.deepCopy();
            whole.put("method", "POST");
            if (one.has("entry")) {
                whole.set("body", Json.object().put("resourceType", "Bundle").put("type",
                        one.path("type").asText("transaction")).set("entry", one.path("entry")));
            }
            check(whole);
        });
    }

    @Test
    void hole_9_2_5_pagesBelongToWhoGotThem() throws IOException {
        ObjectNode one = Json.object().put("as", "asha").put("path", "/Patient?_count=1&_revinclude=Observation:subject");
        one.putArray("roles").add("GET_PATIENT").add("GET_OBSERVATION");
        String body = send(one).body();
        String next = body.substring(body.indexOf(PUBLIC + "?_getpages"), body.indexOf('"', body.indexOf(PUBLIC
                + "?_getpages"))).substring(PUBLIC.length());
        TestGateway.Answer own = send(one.put("path", next));
        assertEquals(200, own.status(), own.body());
        assertTrue(own.body().contains("Observation/ours") && !own.body().contains("Observation/theirs"), own.body());
        assertFalse(own.body().contains("Patient/theirs"), own.body());
        // The Android FHIR SDK's download manager adds the time of the last sync to every URL that it is given.
        backend.asked.clear();
        TestGateway.Answer dated = send(one.put("path", next + "&_lastUpdated=gt2026-01-01T00:00:00.000+03:00"));
        assertEquals(own.body(), dated.body());
        assertFalse(backend.asked.toString().contains("_lastUpdated"), backend.asked.toString());
        assertEquals(403, send(one.put("path", next.replace("page-7", "page-8"))).status());
        assertEquals(403, send(one.put("path", next.replaceFirst("&_pagesig=.*", ""))).status());
        assertEquals(400, send(one.put("path", "/Patient" + next)).status());
        assertEquals(403, send(one.put("path", next).put("as", "binta")).status());
        assertEquals(403, send(one.put("as", "web")).status());
        assertEquals(401, send(one.put("as", "")).status());
        one.put("as", "asha").putArray("roles").add("GET_OBSERVATION");
        assertEquals(403, send(one).status());
    }

    @Test
    void aLongFilterIsSentByPost() throws IOException {
        backend.asked.clear();
        ObjectNode one = Json.object().put("as", "rover").put("app", "rel").put("path", "/Patient?_syncLocations="
                + String.join(",", java.util.stream.IntStream.range(0, 200)
                .mapToObj(i -> "location-with-a-long-name-" + i).toList()));
        one.putArray("roles").add("GET_PATIENT").add("ALL_LOCATIONS");
        assertEquals(200, send(one).status());
        String sent = backend.asked.stream().filter(a -> !a.startsWith("lookup")).toList().toString();
        assertTrue(sent.startsWith("[POST Patient/_search?_tag="), sent);
        assertFalse(sent.contains("_syncLocations"), sent);
    }

    @Test
    void aWriteOfAssignmentsIsSeenAtOnce() throws IOException {
        ObjectNode read = Json.object().put("as", "asha").put("path", "/Patient");
        read.putArray("roles").add("GET_PATIENT");
        send(read);
        backend.asked.clear();
        send(read);
        assertEquals(1, backend.asked.size(), backend.asked.toString());
        ObjectNode write = Json.object().put("as", "web").put("method", "DELETE").put("path", "/CareTeam/none");
        write.putArray("roles").add("DELETE_CARETEAM");
        send(write);
        backend.asked.clear();
        send(read);
        assertTrue(backend.asked.size() > 3, backend.asked.toString());
    }

    @Test
    void headIsJudgedLikeGet() throws IOException {
        ObjectNode one = Json.object().put("as", "asha").put("method", "HEAD").put("path", "/Patient/theirs");
        one.putArray("roles").add("GET_PATIENT");
        assertEquals(403, send(one).status());
        assertEquals(200, send(one.put("path", "/Patient/ours")).status());
        assertEquals("", send(one).body());
    }

    @Test
    void hole_7_7_originsAreExact() throws IOException {
        Map<String, String> good = Map.of("Origin", "https://web.example.org");
        Map<String, String> bad = Map.of("Origin", "https://web.example.org.evil.example");
        assertEquals("https://web.example.org", send("OPTIONS", "/fhir/Patient", good, new byte[0])
                .header("Access-Control-Allow-Origin"));
        assertEquals(403, send("OPTIONS", "/fhir/Patient", bad, new byte[0]).status());
        assertEquals("", send("GET", "/fhir/Patient", bad, new byte[0]).header("Access-Control-Allow-Origin"));
        assertEquals("https://web.example.org", send("GET", "/fhir/Patient", good, new byte[0])
                .header("Access-Control-Allow-Origin"));
    }

    @Test
    void managementIsNotOnThePublicPort() throws IOException {
        assertEquals(404, send("GET", "/actuator/health", Map.of(), new byte[0]).status());
        assertEquals(404, send("GET", "/", Map.of(), new byte[0]).status());
    }
}
