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
import java.net.InetSocketAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.fhirstack.gateway.config.ConfigurationException;
import org.springframework.boot.web.context.WebServerApplicationContext;
import org.springframework.context.support.GenericApplicationContext;

/** The whole gateway, over HTTP, in front of a fake backend. */
final class TestGateway implements AutoCloseable {
    static final String PUBLIC = "https://fhir.example.org/fhir";
    final FakeBackend backend;
    private final GenericApplicationContext gateway;
    private final int port;

    record Answer(int status, String head, String body) {
        String header(String name) {
            for (String line : head.split("\r\n")) {
                if (line.toLowerCase(Locale.ROOT).startsWith(name.toLowerCase(Locale.ROOT) + ":")) {
                    return line.substring(name.length() + 1).strip();
                }
            }
            return "";
        }
    }

    /**
     * @param more environment, besides what is needed
     * @param args Spring properties, which go before those of all tests
     */
    TestGateway(Path directory, Map<String, String> more, String... args)
            throws IOException, ConfigurationException, InterruptedException {
        backend = new FakeBackend();
        Path secret = Files.writeString(directory.resolve("secret"), "0123456789012345678901234567890123456789");
        Path allowed = Files.write(directory.resolve("allowed.json"), Json.write(Cases.read("allow-list.json")));
        Map<String, String> env = new HashMap<>(Map.of("PROXY_TO", backend.origin() + "/fhir", "PUBLIC_BASE_URL",
                PUBLIC, "TOKEN_ISSUER", backend.origin() + "/realms/test", "ACCESS_CHECKER", "permission",
                "BACKEND_TYPE", "HAPI", "PAGE_LINK_SECRET_FILE", secret.toString(), "ALLOWED_QUERIES_FILE",
                allowed.toString(), "CORS_ALLOW_ORIGIN", "https://web.example.org"));
        env.putAll(more);
        List<String> all = new ArrayList<>(List.of("--server.port=0", "--management.server.port=0"));
        all.addAll(args.length == 0 ? List.of("--gateway.max-body=64KB") : List.of(args));
        gateway = Gateway.start(env, all.toArray(new String[0]));
        port = ((WebServerApplicationContext) gateway).getWebServer().getPort();
        for (int i = 0; i < 100 && !send("GET", "/fhir/.well-known/smart-configuration", Map.of(), new byte[0])
                .body().contains("token_endpoint"); i++) {
            Thread.sleep(50);
        }
    }

    @Override
    public void close() {
        gateway.close();
        backend.close();
    }

    /** Speaks HTTP by hand: a client library would tidy up the tricks. */
    Answer send(String method, String target, Map<String, String> headers, byte[] body)
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

    /** Begins a request whose body comes later. */
    Socket begin(String head, String... more) throws IOException {
        return begin(new Socket(), head, more);
    }

    /** Begins a request whose answer is read slowly, if ever: little of it fits on the way. */
    Socket beginSlow(String head, String... more) throws IOException {
        Socket socket = new Socket();
        socket.setReceiveBufferSize(4_096);
        return begin(socket, head, more);
    }

    private Socket begin(Socket socket, String head, String... more) throws IOException {
        socket.connect(new InetSocketAddress(InetAddress.getLoopbackAddress(), port));
        socket.setSoTimeout(60_000);
        socket.getOutputStream().write((head + " HTTP/1.1\r\nHost: gateway\r\nConnection: close\r\n"
                + String.join("\r\n", more) + "\r\n\r\n").getBytes(StandardCharsets.ISO_8859_1));
        socket.getOutputStream().flush();
        return socket;
    }

    String bearer(String as, String... roles) {
        List<String> all = new ArrayList<>(List.of(roles));
        all.add("WEB_CLIENT");
        return "Authorization: Bearer " + backend.issuer.token(as, all, Json.object());
    }

    static Answer parse(InputStream in) throws IOException {
        ByteArrayOutputStream all = new ByteArrayOutputStream();
        in.transferTo(all);
        String text = all.toString(StandardCharsets.UTF_8);
        int end = text.indexOf("\r\n\r\n");
        return new Answer(Integer.parseInt(text.substring(9, 12)), text.substring(0, end), text.substring(end + 4));
    }

    Answer send(JsonNode one) throws IOException {
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
        return send(one.path("method").asText("GET"), one.has("at") ? one.path("at").asText()
                : "/fhir" + one.path("path").asText(), headers, body);
    }

    /** Sends one case and checks what it says. */
    void check(JsonNode one) throws IOException {
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
}
