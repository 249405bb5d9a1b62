package org.fhirstack.gateway;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Stream;
import org.fhirstack.gateway.config.ConfigurationException;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.io.TempDir;
import org.springframework.boot.web.context.WebServerApplicationContext;
import org.springframework.context.support.GenericApplicationContext;

/** The whole gateway, over HTTP, in front of a fake backend: every road that a request can take. */
class RoadsTest {
    private static final String PUBLIC = "https://fhir.example.org/fhir";
    @TempDir
    static Path directory;
    private static FakeBackend backend;
    private static GenericApplicationContext gateway;
    private static int port;

    private record Answer(int status, String head, String body) {
        String header(String name) {
            for (String line : head.split("\r\n")) {
                if (line.toLowerCase(Locale.ROOT).startsWith(name.toLowerCase(Locale.ROOT) + ":")) {
                    return line.substring(name.length() + 1).strip();
                }
            }
            return "";
        }
    }

    @BeforeAll
    static void start() throws IOException, ConfigurationException, InterruptedException {
        backend = new FakeBackend();
        Path secret = Files.writeString(directory.resolve("secret"), "0123456789012345678901234567890123456789");
        Path allowed = Files.write(directory.resolve("allowed.json"), Json.write(Cases.read("allow-list.json")));
        gateway = Gateway.start(Map.of("PROXY_TO", backend.origin() + "/fhir", "PUBLIC_BASE_URL", PUBLIC,
                "TOKEN_ISSUER", backend.origin() + "/realms/test", "ACCESS_CHECKER", "permission", "BACKEND_TYPE",
                "HAPI", "PAGE_LINK_SECRET_FILE", secret.toString(), "ALLOWED_QUERIES_FILE", allowed.toString(),
                "CORS_ALLOW_ORIGIN", "https://web.example.org"), "--server.port=0", "--management.server.port=0",
                "--gateway.max-body=64KB");
        port = ((WebServerApplicationContext) gateway).getWebServer().getPort();
        for (int i = 0; i < 100 && !send("GET", "/fhir/.well-known/smart-configuration", Map.of(), new byte[0])
                .body().contains("token_endpoint"); i++) {
            Thread.sleep(50);
        }
    }

    @AfterAll
    static void stop() {
        gateway.close();
        backend.close();
    }

    /** Speaks HTTP by hand: a client library would tidy up the tricks. */
    private static Answer send(String method, String target, Map<String, String> headers, byte[] body)
            throws IOException {
        try (Socket socket = new Socket(InetAddress.getLoopbackAddress(), port)) {
            OutputStream out = socket.getOutputStream();
            StringBuilder head = new StringBuilder(method + " " + target + " HTTP/1.1\r\nHost: gateway\r\n"
                    + "Connection: close\r\n");
            headers.forEach((name, value) -> head.append(name).append(": ").append(value).append("\r\n"));
            if (body.length > 0) {
                head.append("Content-Length: ").append(body.length).append("\r\n");
            }
            out.write(head.append("\r\n").toString().getBytes(StandardCharsets.ISO_8859_1));
            out.write(body);
            out.flush();
            return parse(socket.getInputStream());
        }
    }

    private static Answer parse(InputStream in) throws IOException {
        ByteArrayOutputStream all = new ByteArrayOutputStream();
        in.transferTo(all);
        String text = all.toString(StandardCharsets.UTF_8);
        int end = text.indexOf("\r\n\r\n");
        return new Answer(Integer.parseInt(text.substring(9, 12)), text.substring(0, end), text.substring(end + 4));
    }

    private static Answer send(JsonNode one) throws IOException {
        java.util.Map<String, String> headers = new java.util.LinkedHashMap<>();
        String as = one.path("as").asText("");
        if (!as.isEmpty()) {
            List<String> roles = Cases.texts(one.path("roles"));
            roles.add(one.path("client").asText(as.startsWith("web") ? "WEB_CLIENT" : "ANDROID_CLIENT"));
            ObjectNode claims = Json.object();
            if (one.has("app")) {
                claims.set("fhir_core_app_id", one.path("app"));
            }
            headers.put("Authorization", "Bearer " + backend.issuer.token(as, roles, claims));
        }
        byte[] body = new byte[0];
        if (one.has("body")) {
            JsonNode given = one.path("body");
            body = given.isTextual() ? given.asText().getBytes(StandardCharsets.UTF_8) : Json.write(given);
            headers.put("Content-Type", "application/fhir+json");
        }
        one.path("headers").properties().forEach(h -> headers.put(h.getKey(), h.getValue().asText()));
        return send(one.path("method").asText("GET"), "/fhir" + one.path("path").asText(), headers, body);
    }

    private static void check(JsonNode one) throws IOException {
        backend.asked.clear();
        Answer answer = send(one);
        String all = answer.head() + "\n" + answer.body();
        assertEquals(one.path("status").asInt(), answer.status(), all);
        assertFalse(all.contains(backend.origin() + "/fhir"), all);
        if (answer.status() >= 400 && !answer.body().isEmpty()) {
            assertTrue(answer.body().contains("OperationOutcome"), all);
        }
        one.path("holds").forEach(text -> assertTrue(all.contains(text.asText()), text + " in " + all));
        one.path("lacks").forEach(text -> assertFalse(all.contains(text.asText()), text + " in " + all));
        List<String> sent = backend.asked.stream().filter(a -> !a.startsWith("lookup ")).toList();
        String said = sent.toString();
        if (one.has("sent")) {
            one.path("sent").forEach(text -> assertTrue(said.contains(text.asText()), text + " in " + said));
        } else if (answer.status() >= 400 && !one.path("judged").asBoolean()) {
            assertEquals(List.of(), sent, "a refused request must not reach the backend");
        }
        one.path("unsent").forEach(text -> assertFalse(said.contains(text.asText()), text + " in " + said));
        assertFalse(said.contains("TOKEN") || said.contains("COOKIE"), said);
    }

    @TestFactory
    Stream<DynamicTest> single() throws IOException {
        return Cases.of("roads.json", RoadsTest::check);
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
        Answer own = send(one.put("path", next));
        assertEquals(200, own.status(), own.body());
        assertTrue(own.body().contains("Observation/ours") && !own.body().contains("Observation/theirs"), own.body());
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
