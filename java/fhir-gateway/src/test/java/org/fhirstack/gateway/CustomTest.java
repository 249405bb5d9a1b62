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

/** PractitionerDetail, LocationHierarchy and other public bases, over HTTP. */
class CustomTest {
    private static final String ALTERNATE = "https://web.example.org/gateway/fhir";
    @TempDir
    static Path directory;
    private static TestGateway gateway;

    @BeforeAll
    static void start() throws IOException, ConfigurationException, InterruptedException {
        gateway = new TestGateway(directory, Map.of("ALTERNATE_BASE_URLS", ALTERNATE + ", https://b.example.org/fhir"));
    }

    @AfterAll
    static void stop() {
        gateway.close();
    }

    private static ObjectNode request(String as, String at, String... roles) {
        ObjectNode one = Json.object().put("as", as).put("at", at);
        List.of(roles).forEach(one.putArray("roles")::add);
        return one;
    }

    private static ObjectNode with(ObjectNode one, String header, String value) {
        one.withObject("/headers").put(header, value);
        return one;
    }

    /** How many lookups a request costs. */
    private static int cost(JsonNode one) throws IOException {
        gateway.backend.asked.clear();
        assertEquals(200, gateway.send(one).status());
        return gateway.backend.asked.size();
    }

    @TestFactory
    Stream<DynamicTest> cases() throws IOException {
        return Cases.of("custom.json", gateway::check);
    }

    @Test
    void aWriteIsSeenAtOnce() throws IOException {
        ObjectNode details = request("asha", "/PractitionerDetail?keycloak-uuid=asha", "GET_PRACTITIONERDETAIL");
        ObjectNode tree = request("asha", "/LocationHierarchy?_id=low", "GET_LOCATIONHIERARCHY");
        for (String type : List.of("Practitioner", "PractitionerRole", "CareTeam", "Organization",
                "OrganizationAffiliation", "Group", "Location")) {
            gateway.send(details);
            gateway.send(tree);
            assertEquals(0, cost(details), type);
            assertEquals(0, cost(tree), type);
            gateway.send(request("web", "/fhir/" + type + "/none", "DELETE_" + type.toUpperCase(java.util.Locale.ROOT))
                    .put("method", "DELETE"));
            assertTrue(cost(details) > 0, type);
            assertEquals(!type.equals("Group"), cost(tree) > 0, type);
        }
        gateway.send(request("web", "/fhir/Patient/none", "DELETE_PATIENT").put("method", "DELETE"));
        assertEquals(0, cost(details) + cost(tree));
    }

    @Test
    void noCacheIsObeyed() throws IOException {
        for (ObjectNode one : List.of(
                request("asha", "/PractitionerDetail?keycloak-uuid=asha", "GET_PRACTITIONERDETAIL"),
                request("asha", "/LocationHierarchy", "GET_LOCATIONHIERARCHY"))) {
            gateway.send(one);
            assertEquals(0, cost(one));
            assertTrue(cost(with(one.deepCopy(), "Cache-Control", "no-cache")) > 0);
            assertEquals(0, cost(one));
        }
    }

    @Test
    void whatIsRememberedForOneIsNotGivenToAnother() throws IOException {
        assertEquals(200, gateway.send(request("asha", "/LocationHierarchy?_id=top", "GET_LOCATIONHIERARCHY"))
                .status());
        assertEquals(403, gateway.send(request("sara", "/LocationHierarchy?_id=top", "GET_LOCATIONHIERARCHY"))
                .status());
        assertEquals(200, gateway.send(request("asha", "/PractitionerDetail?keycloak-uuid=asha",
                "GET_PRACTITIONERDETAIL")).status());
        assertEquals(403, gateway.send(request("sara", "/PractitionerDetail?keycloak-uuid=asha",
                "GET_PRACTITIONERDETAIL")).status());
    }

    @Test
    void theTagSaysWhetherAnythingChanged() throws IOException {
        ObjectNode one = request("web", "/LocationHierarchy?_id=land", "GET_LOCATIONHIERARCHY");
        String tag = gateway.send(one).header("ETag");
        assertTrue(tag.startsWith("W/\""), tag);
        assertEquals(tag, gateway.send(with(one.deepCopy(), "Cache-Control", "no-cache")).header("ETag"));
        TestGateway.Answer same = gateway.send(with(one.deepCopy(), "If-None-Match", "\"x\", " + tag));
        assertEquals(304, same.status());
        assertEquals("", same.body());
        assertEquals(200, gateway.send(with(one.deepCopy(), "If-None-Match", "W/\"x\"")).status());
        assertFalse(tag.equals(gateway.send(request("web", "/LocationHierarchy?_id=top", "GET_LOCATIONHIERARCHY"))
                .header("ETag")));
        assertEquals(403, gateway.send(with(request("web", "/LocationHierarchy?_id=land"), "If-None-Match", tag))
                .status());
    }

    @Test
    void headHasNoBody() throws IOException {
        ObjectNode one = request("asha", "/fhir/LocationHierarchy?_id=top", "GET_LOCATIONHIERARCHY").put("method",
                "HEAD");
        TestGateway.Answer answer = gateway.send(one);
        assertEquals(200, answer.status());
        assertEquals("", answer.body());
        assertEquals(403, gateway.send(one.put("at", "/fhir/LocationHierarchy?_id=land")).status());
    }

    @Test
    void browsersMayAsk() throws IOException {
        for (String target : List.of("/LocationHierarchy/_search", "/fhir/PractitionerDetail/_search")) {
            TestGateway.Answer answer = gateway.send("OPTIONS", target, Map.of("Origin", "https://web.example.org",
                    "Access-Control-Request-Method", "POST", "Access-Control-Request-Headers",
                    "authorization,content-type"), new byte[0]);
            assertEquals(204, answer.status());
            assertTrue(answer.header("Access-Control-Allow-Headers").contains("Content-Type"), answer.head());
            assertEquals(403, gateway.send("OPTIONS", target, Map.of("Origin", "https://evil.example.org"),
                    new byte[0]).status());
        }
    }

    @Test
    void bundlesCannotCarryThem() throws IOException {
        for (String type : List.of("batch", "transaction")) {
            for (String url : List.of("PractitionerDetail?keycloak-uuid=asha", "LocationHierarchy/_search?_id=top")) {
                ObjectNode body = Json.object().put("resourceType", "Bundle").put("type", type);
                body.putArray("entry").addObject().putObject("request").put("method", "GET").put("url", url);
                ObjectNode one = request("asha", "/fhir", "GET_PRACTITIONERDETAIL", "GET_LOCATIONHIERARCHY")
                        .put("method", "POST").put("status", 400);
                one.set("body", body);
                one.putArray("holds").add("is no resource type; ask for it by a request of its own");
                gateway.check(one);
            }
        }
    }

    @Test
    void linksCarryTheBaseThatWasCalled() throws IOException {
        ObjectNode page = request("web", "/fhir/Patient?_count=1", "GET_PATIENT");
        for (String base : List.of(TestGateway.PUBLIC, ALTERNATE, "https://b.example.org/fhir")) {
            String body = gateway.send(with(page.deepCopy(), "X-Fhir-Base", base)).body();
            assertTrue(body.contains("\"" + base + "/Patient\""), body);
            assertTrue(base.equals(TestGateway.PUBLIC) || !body.contains(TestGateway.PUBLIC), body);
            String next = body.substring(body.indexOf(base + "?_getpages"));
            next = next.substring(base.length(), next.indexOf('"'));
            // The signature is good whichever way the next page is asked for.
            assertEquals(200, gateway.send(page.deepCopy().put("at", "/fhir" + next)).status());
            assertEquals(200, gateway.send(with(page.deepCopy().put("at", "/fhir" + next), "X-Fhir-Base", ALTERNATE))
                    .status());
        }
        ObjectNode create = with(request("web", "/fhir/Patient", "POST_PATIENT").put("method", "POST"), "X-Fhir-Base",
                ALTERNATE);
        create.putObject("body").put("resourceType", "Patient");
        assertEquals(ALTERNATE + "/Patient/new/_history/1", gateway.send(create).header("Location"));
        String list = gateway.send(with(request("web", "/fhir/LocationHierarchy?_id=land&mode=list&_count=1",
                "GET_LOCATIONHIERARCHY"), "X-Fhir-Base", ALTERNATE)).body();
        assertTrue(list.contains("\"" + ALTERNATE + "/LocationHierarchy?_id=land&mode=list&_count=1&_page=2\""), list);
        assertTrue(list.contains("see " + ALTERNATE + "/Location/land"), list);
        assertFalse(list.contains(TestGateway.PUBLIC), list);
    }

    @Test
    void anUnknownBaseIsRefused() throws IOException {
        for (String base : List.of("https://evil.example.org/fhir", ALTERNATE + "/", ALTERNATE.toUpperCase(
                java.util.Locale.ROOT), "")) {
            ObjectNode one = with(request("web", "/fhir/Patient/ours", "GET_PATIENT"), "X-Fhir-Base", base);
            assertEquals(400, gateway.send(one).status(), base);
        }
        ObjectNode forwarded = request("web", "/fhir/Patient?_count=1", "GET_PATIENT");
        with(forwarded, "X-Forwarded-Host", "forwarded.example.org");
        with(forwarded, "X-Forwarded-Prefix", "/forwarded");
        String body = gateway.send(forwarded).body();
        assertTrue(body.contains(TestGateway.PUBLIC + "?_getpages"), body);
        assertFalse(body.contains("forwarded"), body);
    }
}
