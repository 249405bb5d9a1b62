package org.fhirstack.gateway;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Executors;
import java.util.concurrent.atomic.AtomicInteger;
import org.fhirstack.gateway.request.Query;

/** As much of a FHIR server as the gateway looks at, with a token issuer beside it. It remembers what was asked. */
public final class FakeBackend implements AutoCloseable {
    private final HttpServer server;
    public final Issuer issuer;
    /** Answers that are not taken yet. */
    public final AtomicInteger open = new AtomicInteger();
    public final List<String> asked = Collections.synchronizedList(new ArrayList<>());
    /** What writes wait for before they are answered. */
    public volatile CountDownLatch held = new CountDownLatch(0);
    public final AtomicInteger writing = new AtomicInteger();
    private final Map<String, JsonNode> store = new LinkedHashMap<>();

    public FakeBackend() throws IOException {
        server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
        server.setExecutor(Executors.newCachedThreadPool(r -> {
            Thread thread = new Thread(r);
            thread.setDaemon(true);
            return thread;
        }));
        issuer = new Issuer(origin() + "/realms/test");
        server.createContext("/realms", x -> answer(x, 200, issuer.get(x.getRequestURI().toString())));
        server.createContext("/fhir", this::fhir);
        server.start();
        for (JsonNode resource : Json.parse(Cases.read("store.json").toString().replace("BACKEND", origin() + "/fhir")
                .getBytes(StandardCharsets.UTF_8))) {
            store.put(resource.path("resourceType").asText() + "/" + resource.path("id").asText(), resource);
        }
    }

    public String origin() {
        return "http://127.0.0.1:" + server.getAddress().getPort();
    }

    private void fhir(HttpExchange x) throws IOException {
        String method = x.getRequestMethod();
        String path = x.getRequestURI().getRawPath().replaceFirst("^/fhir/?", "");
        byte[] body = x.getRequestBody().readAllBytes();
        String text = new String(body, StandardCharsets.UTF_8);
        if (path.startsWith("Basic/")) {
            answer(x, 404, Json.write(Json.object().put("resourceType", "OperationOutcome")));
            return;
        }
        boolean lookup = "no-cache".equals(x.getRequestHeaders().getFirst("Cache-Control"));
        Query query = Query.parse(path.endsWith("/_search") ? text : x.getRequestURI().getRawQuery());
        asked.add((lookup ? "lookup " : "") + method + " " + path + (query.isEmpty() ? "" : "?" + query.encode())
                + " " + text + " " + (x.getRequestHeaders().containsKey("X-Meta-Snapshot-Mode") ? "SNAPSHOT " : "")
                + (x.getRequestHeaders().containsKey("Authorization") ? "TOKEN" : "")
                + (x.getRequestHeaders().containsKey("Cookie") ? "COOKIE" : ""));
        if (method.equals("GET") || path.endsWith("/_search")) {
            read(x, path.replace("/_search", ""), query);
            return;
        }
        writing.incrementAndGet();
        try {
            held.await();
        } catch (InterruptedException e) {
            throw new IOException(e);
        } finally {
            writing.decrementAndGet();
        }
        if (path.isEmpty()) {
            answer(x, 200, Json.write(answers(Json.parse(body))));
        } else {
            x.getResponseHeaders().set("Location", origin() + "/fhir/Patient/new/_history/1");
            x.getResponseHeaders().set("Content-Location", "http://inner.example.org/fhir/Patient/new");
            answer(x, method.equals("POST") ? 201 : 200, body.length == 0 ? Json.write(Json.object().put("resourceType",
                    "OperationOutcome")) : body);
        }
    }

    private void read(HttpExchange x, String path, Query query) throws IOException {
        if (path.equals("Patient/fails") || query.values("_id").contains("fails")) {
            answer(x, 500, "stack trace of the server".getBytes(StandardCharsets.UTF_8));
        } else if (path.contains("$everything") || path.isEmpty()) {
            answer(x, 200, Json.write(bundle("Patient", query.plus("_revinclude", "x"))));
        } else if (path.endsWith("/$expand")) {
            answer(x, 200, Json.write(Json.object().put("resourceType", "ValueSet")));
        } else if (path.endsWith("/_history") && path.contains("/none/")) {
            answer(x, 404, Json.write(Json.object().put("resourceType", "OperationOutcome")));
        } else if (path.endsWith("/_history")) {
            answer(x, 200, Json.write(history(path.replace("/_history", ""))));
        } else if (path.contains("/")) {
            JsonNode found = store.get(path.replaceFirst("/_history/.*", ""));
            answer(x, found == null ? 404 : 200, Json.write(found == null
                    ? Json.object().put("resourceType", "OperationOutcome") : found));
        } else if (path.equals("metadata")) {
            answer(x, 200, Json.write(Json.object().put("resourceType", "CapabilityStatement").put("url", origin()
                    + "/fhir/metadata")));
        } else {
            answer(x, 200, Json.write(bundle(path, query)));
        }
    }

    private ObjectNode history(String path) {
        ObjectNode bundle = Json.object().put("resourceType", "Bundle").put("type", "history");
        ArrayNode entries = bundle.putArray("entry");
        if (store.containsKey(path)) {
            entries.addObject().set("resource", store.get(path));
        }
        if (path.endsWith("moved")) {
            entries.addObject().set("resource", store.get("Patient/theirs"));
        }
        return bundle;
    }

    private ObjectNode bundle(String type, Query query) {
        ObjectNode bundle = Json.object().put("resourceType", "Bundle").put("type", "searchset");
        ArrayNode links = bundle.putArray("link");
        links.addObject().put("relation", "self").put("url", origin() + "/fhir/" + type);
        if (query.has("_count") && query.values("_count").contains("1")) {
            links.addObject().put("relation", "next").put("url", origin() + "/fhir?_getpages=page-7&_count=1");
        }
        ArrayNode entries = bundle.putArray("entry");
        store.forEach((path, resource) -> {
            if (path.startsWith(type + "/") && matches(resource, query)) {
                add(entries, resource, "match");
            }
        });
        if (query.has("_revinclude") || query.has("_include")) {
            add(entries, store.get("Observation/ours"), "include");
            add(entries, store.get("Observation/theirs"), "include");
            add(entries, store.get("Location/top"), "include");
        }
        return bundle;
    }

    private void add(ArrayNode entries, JsonNode resource, String mode) {
        ObjectNode entry = entries.addObject().put("fullUrl", origin() + "/fhir/" + resource.path("resourceType")
                .asText() + "/" + resource.path("id").asText());
        entry.set("resource", resource);
        entry.putObject("search").put("mode", mode);
    }

    private static boolean matches(JsonNode resource, Query query) {
        if (query.values("name").contains("found-before")) {
            // HAPI shows again what it found, whatever has become of it.
            return true;
        }
        String text = resource.toString();
        for (Query.Param p : query.params()) {
            List<String> values = List.of(p.value().split(","));
            boolean ok = switch (p.name()) {
                case "_id" -> values.contains(resource.path("id").asText());
                case "_tag" -> values.stream().anyMatch(v -> text.contains("\"" + v.replaceFirst(".*\\|", "") + "\""));
                case "code" -> text.contains("\"" + p.value().replaceFirst(".*\\|", "") + "\"");
                case "identifier", "participant", "practitioner", "primary-organization", "partof", "member",
                        "location", "subject" ->
                        values.stream().anyMatch(v -> text.contains("\"" + v + "\""));
                default -> true;
            };
            if (!ok) {
                return false;
            }
        }
        return true;
    }

    /** Answers like HAPI, and with a fault when an entry asks for it: {@code lost} gets none, {@code last} the last. */
    private ObjectNode answers(JsonNode request) {
        ObjectNode bundle = Json.object().put("resourceType", "Bundle").put("type", "transaction-response");
        List<JsonNode> answers = new ArrayList<>();
        List<JsonNode> late = new ArrayList<>();
        for (JsonNode entry : request.path("entry")) {
            String url = entry.path("request").path("url").asText();
            if (!url.contains("lost")) {
                (url.contains("last") ? late : answers).add(answerTo(entry.path("request").path("method").asText(), url));
            }
        }
        answers.addAll(late);
        bundle.putArray("entry").addAll(answers);
        return bundle;
    }

    private ObjectNode answerTo(String method, String url) {
        ObjectNode answer = Json.object();
        ObjectNode response = Json.object().put("status", "200 OK");
        if (!method.equals("GET")) {
            response.put("location", url.replaceFirst("\\?.*", "/found") + "/_history/1");
        } else if (url.contains("?")) {
            answer.set("resource", bundle(url.replaceFirst("\\?.*", ""), Query.parse(url.replaceFirst(".*?\\?", ""))));
        } else if (store.containsKey(url)) {
            answer.set("resource", store.get(url));
        } else {
            response.put("status", "404 Not Found");
            response.putObject("outcome").put("resourceType", "OperationOutcome");
        }
        answer.set("response", response);
        return answer;
    }

    private void answer(HttpExchange x, int status, byte[] body) throws IOException {
        byte[] whole = longer(body, x.getRequestHeaders().getFirst("X-Request-Id"));
        x.getResponseHeaders().set("Content-Type", "application/fhir+json;charset=UTF-8");
        open.incrementAndGet();
        try {
            x.sendResponseHeaders(status, whole.length);
            x.getResponseBody().write(whole);
            x.close();
        } finally {
            open.decrementAndGet();
        }
    }

    /** With so much white space as the request {@code long-…} asks for. */
    private static byte[] longer(byte[] body, String request) {
        if (request == null || !request.startsWith("long-")) {
            return body;
        }
        int more = Integer.parseInt(request.substring("long-".length()));
        byte[] whole = new byte[body.length + more];
        Arrays.fill(whole, (byte) ' ');
        whole[0] = body[0];
        System.arraycopy(body, 1, whole, more + 1, body.length - 1);
        return whole;
    }

    @Override
    public void close() {
        server.stop(0);
    }
}
