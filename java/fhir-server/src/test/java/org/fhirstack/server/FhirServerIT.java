package org.fhirstack.server;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Base64;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * The delivered jar against a real PostgreSQL: {@code FHIR_SERVER_TEST_JDBC_URL} (jdbc:postgresql://host:port/database),
 * {@code FHIR_SERVER_TEST_USER} and {@code FHIR_SERVER_TEST_PASSWORD}, as environment variables or system properties.
 */
class FhirServerIT {
    private static final String TAGS = "https://smartregister.org/location-tag-id";
    /** Not where the server listens: links must show what was configured. */
    private static final String PUBLIC = "https://fhir.example.org/fhir";

    private static final String NO_DATABASE =
            "skipped: FHIR_SERVER_TEST_JDBC_URL is not set, so there is no database to test with";

    @TempDir
    static Path directory;

    private static TcpProxy database;
    private static ServerProcess server;
    private static FhirClient fhir;
    private static FhirClient management;
    private static String yaml;

    @BeforeAll
    static void start() throws Exception {
        String url = setting("FHIR_SERVER_TEST_JDBC_URL");
        if (url == null) {
            System.out.println(NO_DATABASE);
            return;
        }
        URI address = URI.create(url.substring("jdbc:".length()));
        database = new TcpProxy(address.getHost(), address.getPort() < 0 ? 5432 : address.getPort());
        int port = freePort();
        int managementPort = freePort();
        yaml =
                """
                server: {address: 127.0.0.1, port: %d}
                management.server: {address: 127.0.0.1, port: %d}
                spring:
                  datasource:
                    url: jdbc:postgresql://127.0.0.1:%d%s
                    username: "%s"
                    password: "%s"
                    hikari.connection-timeout: 3000
                hapi.fhir:
                  server_address: %s
                  client_id_strategy: ANY
                  default_pretty_print: false
                  enforce_referential_integrity_on_delete: false
                  reuse_cached_search_results_millis: 0
                  cors:
                    allow_Credentials: false
                    allowed_origin: ["https://web.example.org"]
                """
                        .formatted(
                                port,
                                managementPort,
                                database.port(),
                                address.getPath(),
                                setting("FHIR_SERVER_TEST_USER"),
                                setting("FHIR_SERVER_TEST_PASSWORD"),
                                PUBLIC);
        server = ServerProcess.start(directory, yaml);
        fhir = new FhirClient("http://127.0.0.1:" + port + "/fhir");
        management = new FhirClient("http://127.0.0.1:" + managementPort + "/actuator");
        await("ready", () -> readiness() == 200);
    }

    /** Here and not above, so that every test is counted as skipped and says why. */
    @BeforeEach
    void needsDatabase() {
        assumeTrue(server != null, NO_DATABASE);
    }

    @AfterAll
    static void stop() throws Exception {
        if (server != null) {
            server.close();
        }
        if (database != null) {
            database.close();
        }
    }

    private static String setting(String name) {
        return System.getProperty(name, System.getenv(name));
    }

    private static int freePort() throws IOException {
        try (ServerSocket socket = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            return socket.getLocalPort();
        }
    }

    private static int readiness() {
        try {
            return management.get("/health/readiness").status();
        } catch (IOException e) {
            return 0;
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return 0;
        }
    }

    private static void await(String what, BooleanSupplier condition) throws Exception {
        long deadline = System.nanoTime() + ServerProcess.LIMIT.toNanos();
        while (!condition.getAsBoolean()) {
            if (!server.isAlive() || System.nanoTime() > deadline) {
                throw new AssertionError("not " + what + " within " + ServerProcess.LIMIT + "; the log:\n" + server.output());
            }
            TimeUnit.MILLISECONDS.sleep(300);
        }
    }

    private static String patient(String family, String tag) {
        return """
                {"resourceType":"Patient","name":[{"family":"%s"}],"birthDate":"2020-01-02",
                 "meta":{"tag":[{"system":"%s","code":"%s"}]}}"""
                .formatted(family, TAGS, tag);
    }

    @Test
    void createReadUpdateHistoryDelete() throws Exception {
        FhirClient.Answer created = fhir.send("POST", "/Patient", patient("Mwangi", "one"));
        assertThat(created.status()).isEqualTo(201);
        String id = created.json().get("id").asText();
        assertThat(created.headers().firstValue("Location")).contains(PUBLIC + "/Patient/" + id + "/_history/1");
        assertThat(fhir.get("/Patient/" + id).json().at("/name/0/family").asText()).isEqualTo("Mwangi");

        String changed = patient("Wanjiru", "one").replaceFirst("\\{", "{\"id\":\"" + id + "\",");
        assertThat(fhir.send("PUT", "/Patient/" + id, changed).status()).isEqualTo(200);
        assertThat(fhir.send("PUT", "/Patient/" + id, changed, "If-Match", "W/\"1\"").status())
                .isEqualTo(409);
        JsonNode history = fhir.get("/Patient/" + id + "/_history").json();
        assertThat(history.get("total").asInt()).isEqualTo(2);

        assertThat(fhir.send("DELETE", "/Patient/" + id, null).status()).isEqualTo(200);
        assertThat(fhir.get("/Patient/" + id).status()).isEqualTo(410);
    }

    @Test
    void searchByTagPageByPage() throws Exception {
        String tag = "tag-" + UUID.randomUUID();
        for (int i = 0; i < 25; i++) {
            assertThat(fhir.send("POST", "/Patient", patient("Page" + i, tag)).status()).isEqualTo(201);
        }
        Set<String> seen = new HashSet<>();
        String next = "/Patient?_tag=" + TAGS + "%7C" + tag + "&_count=10";
        int pages = 0;
        while (next != null) {
            JsonNode page = fhir.get(next).json();
            pages++;
            page.path("entry").forEach(entry -> seen.add(entry.at("/resource/id").asText()));
            next = null;
            for (JsonNode link : page.get("link")) {
                assertThat(link.get("url").asText()).startsWith(PUBLIC);
                if ("next".equals(link.get("relation").asText())) {
                    next = link.get("url").asText().substring(PUBLIC.length());
                }
            }
        }
        assertThat(pages).isEqualTo(3);
        assertThat(seen).hasSize(25);
        assertThat(fhir.get("/Patient?_tag=" + TAGS + "%7C" + tag + "&_summary=count")
                        .json()
                        .get("total")
                        .asInt())
                .isEqualTo(25);
    }

    @Test
    void transactionResolvesItsOwnReferencesAndFailsAsOne() throws Exception {
        String transaction =
                """
                {"resourceType":"Bundle","type":"transaction","entry":[
                 {"fullUrl":"urn:uuid:88f151c0-a954-468a-88bd-5ae15c08e059",
                  "resource":{"resourceType":"Patient","name":[{"family":"Bundle"}]},
                  "request":{"method":"POST","url":"Patient"}},
                 {"resource":{"resourceType":"Observation","status":"final","code":{"text":"weight"},
                  "subject":{"reference":"urn:uuid:88f151c0-a954-468a-88bd-5ae15c08e059"}},
                  "request":{"method":"POST","url":"Observation"}}]}""";
        JsonNode answer = fhir.send("POST", "", transaction).json();
        String patient = answer.at("/entry/0/response/location").asText().split("/_history")[0];
        String observation = answer.at("/entry/1/response/location").asText().split("/_history")[0];
        assertThat(fhir.get("/" + observation).json().at("/subject/reference").asText())
                .isEqualTo(patient);

        String family = "F" + UUID.randomUUID();
        String half =
                """
                {"resourceType":"Bundle","type":"transaction","entry":[
                 {"resource":{"resourceType":"Patient","name":[{"family":"%s"}]},"request":{"method":"POST","url":"Patient"}},
                 {"resource":{"resourceType":"Observation","status":"final","code":{"text":"x"},
                  "subject":{"reference":"Patient/does-not-exist"}},"request":{"method":"POST","url":"Observation"}}]}"""
                        .formatted(family);
        assertThat(fhir.send("POST", "", half).status()).isEqualTo(400);
        assertThat(fhir.get("/Patient?_summary=count&family=" + family).json().get("total").asInt())
                .isZero();
    }

    /** What refers to a deleted record may be changed or deleted with it, in any order, and stays what it was. */
    @Test
    void aRecordIsDeletedWithWhatRefersToIt() throws Exception {
        String patch = Base64.getEncoder()
                .encodeToString("[{\"op\":\"remove\",\"path\":\"/managingEntity\"}]".getBytes(StandardCharsets.UTF_8));
        String person = "{\"request\":{\"method\":\"DELETE\",\"url\":\"RelatedPerson/head\"}}";
        String patched =
                """
                {"resource":{"resourceType":"Binary","contentType":"application/json-patch+json","data":"%s"},
                 "request":{"method":"PATCH","url":"Group/household"}}"""
                        .formatted(patch);
        String put =
                """
                {"resource":{"resourceType":"Group","id":"household","type":"person","actual":true},
                 "request":{"method":"PUT","url":"Group/household"}}""";
        String group = "{\"request\":{\"method\":\"DELETE\",\"url\":\"Group/household\"}}";
        for (String entries : List.of(
                person + "," + patched, patched + "," + person, person + "," + put, person + "," + group, group + "," + person, person)) {
            household();
            FhirClient.Answer answer = fhir.send("POST", "", bundle(entries));
            assertThat(answer.status()).as(entries + answer.text()).isEqualTo(200);
            assertThat(fhir.get("/RelatedPerson/head").status()).isEqualTo(410);
            assertThat(fhir.get("/Group/household").status()).isEqualTo(entries.contains(group) ? 410 : 200);
        }
        assertThat(fhir.get("/Group/household").json().at("/managingEntity/reference").asText())
                .isEqualTo("RelatedPerson/head");
        assertThat(fhir.get("/Group?managing-entity=RelatedPerson/head&_summary=count")
                        .json().get("total").asInt())
                .isEqualTo(1);
    }

    private static void household() throws Exception {
        FhirClient.Answer answer = fhir.send("POST", "", bundle(
                """
                {"resource":{"resourceType":"Patient","id":"head"},"request":{"method":"PUT","url":"Patient/head"}},
                {"resource":{"resourceType":"RelatedPerson","id":"head","patient":{"reference":"Patient/head"}},
                 "request":{"method":"PUT","url":"RelatedPerson/head"}},
                {"resource":{"resourceType":"Group","id":"household","type":"person","actual":true,
                  "managingEntity":{"reference":"RelatedPerson/head"}},
                 "request":{"method":"PUT","url":"Group/household"}}"""));
        assertThat(answer.status()).as(answer.text()).isEqualTo(200);
    }

    private static String bundle(String entries) {
        return "{\"resourceType\":\"Bundle\",\"type\":\"transaction\",\"entry\":[" + entries + "]}";
    }

    @Test
    void whatWasNotAskedForIsOff() throws Exception {
        String id = fhir.send("POST", "/Patient", patient("Off", "off")).json().get("id").asText();
        assertThat(fhir.send("POST", "/Patient/" + id + "/$expunge", "{\"resourceType\":\"Parameters\"}").status())
                .isBetween(400, 499);
        fhir.send("POST", "/Patient", patient("Off", "off"));
        assertThat(fhir.send("DELETE", "/Patient?family=Off", null).status())
                .as("more than one at a time")
                .isEqualTo(412);
        assertThat(fhir.get("/$export", "Prefer", "respond-async").status()).isBetween(400, 499);
        assertThat(fhir.get("/swagger-ui/").status()).isBetween(400, 499);
        assertThat(management.get("/env").status()).isEqualTo(404);
    }

    @Test
    void errorsAreOutcomesWithoutInnards() throws Exception {
        for (FhirClient.Answer answer : new FhirClient.Answer[] {
            fhir.send("POST", "/Patient", "{\"resourceType\":"),
            fhir.get("/NoSuchType/1"),
            fhir.get("/Patient/no-such-id"),
            fhir.get("/Patient?nosuchparameter=1"),
            fhir.send("DELETE", "/no/such/path", null)
        }) {
            assertThat(answer.status()).isBetween(400, 499);
            assertThat(answer.json().get("resourceType").asText()).isEqualTo("OperationOutcome");
            assertThat(answer.text()).doesNotContain("\tat ", "Exception:");
            assertThat(answer.headers().firstValue("X-Powered-By")).isEmpty();
            assertThat(answer.headers().firstValue("Server")).isEmpty();
        }
    }

    /** What only its sender can mend is no fault of the server. */
    @Test
    void whatCannotBeReadIsTheSenders() throws Exception {
        for (String search : List.of(
                "Observation?value-quantity=1.0.0",
                "Observation?value-quantity=1e400",
                "Observation?value-quantity=2020-13-45",
                "Observation?component-value-quantity=%25",
                "Encounter?length=1.0.0",
                "Location?near=x",
                "Location?near=%7C",
                "Patient?_offset=-1",
                "Patient?name=%00")) {
            FhirClient.Answer answer = fhir.get("/" + search);
            assertThat(answer.status()).as(search + answer.text()).isEqualTo(400);
            assertThat(answer.text()).contains("OperationOutcome").doesNotContainIgnoringCase("select ");
        }
        for (String div : List.of("<p>x</p>", "<span/>", "<script>x</script>")) {
            String body = "{\"resourceType\":\"Basic\",\"code\":{\"text\":\"x\"},\"text\":{\"status\":\"generated\",\"div\":\""
                    + div + "\"}}";
            FhirClient.Answer alone = fhir.send("POST", "/Basic", body);
            assertThat(alone.status()).as(div + alone.text()).isEqualTo(400);
            FhirClient.Answer together = fhir.send(
                    "POST",
                    "",
                    bundle("{\"resource\":" + body + ",\"request\":{\"method\":\"POST\",\"url\":\"Basic\"}}"));
            assertThat(together.status()).as(div + together.text()).isEqualTo(400);
        }
        String there = "{\"resourceType\":\"Basic\",\"id\":\"faults\"}";
        assertThat(fhir.send("PUT", "/Basic/faults", there).status()).isEqualTo(201);
        for (String version : List.of("abc", "w/\"1\"", "\"1\",\"2\"", "99999999999999999999")) {
            FhirClient.Answer answer = fhir.send("PUT", "/Basic/faults", there, "If-Match", version);
            assertThat(answer.status()).as(version + answer.text()).isEqualTo(400);
        }
    }

    /** Alone, over what is stored already, in a transaction and in a batch: refused with its place, and nothing is written. */
    @Test
    void whatNoColumnHoldsIsRefusedWithItsPlace() throws Exception {
        for (JsonNode one : FhirClient.table("stored-values.json")) {
            String name = one.path("name").asText();
            String type = "/" + one.at("/resource/resourceType").asText();
            FhirClient.Answer fits = fhir.send("POST", type, filled(one, "fits"));
            assertThat(fits.status()).as(name + fits.text()).isEqualTo(201);
            if (!one.has("exceeds")) {
                continue;
            }
            String url = type + "/" + fits.json().get("id").asText();
            String exceeds = filled(one, "exceeds");
            String entry = "{\"resource\":" + exceeds + ",\"request\":{\"method\":\"POST\",\"url\":\"" + type.substring(1) + "\"}}";
            String batch = bundle(entry).replace("\"transaction\"", "\"batch\"");
            JsonNode alone = fhir.send("POST", "", batch).json().at("/entry/0/response");
            assertThat(alone.at("/status").asText()).as(name).startsWith("400");
            assertThat(alone.at("/outcome/issue/0/diagnostics").asText()).contains(one.get("place").asText());
            for (FhirClient.Answer answer : List.of(
                    fhir.send("POST", type, exceeds),
                    fhir.send("PUT", url, exceeds.replaceFirst("\\{", "{\"id\":\"" + url.substring(type.length() + 1) + "\",")),
                    fhir.send("POST", "", bundle(entry)))) {
                assertThat(answer.status()).as(name + answer.text()).isEqualTo(400);
                assertThat(answer.json().at("/issue/0/diagnostics").asText())
                        .contains(one.get("place").asText())
                        .doesNotContainIgnoringCase("insert into", "batch entry");
            }
            assertThat(fhir.get(url).json().at("/meta/versionId").asText()).as(name).isEqualTo("1");
        }
    }

    private static String filled(JsonNode one, String key) {
        JsonNode value = one.get(key);
        String resource = one.get("resource").toString();
        return value.isTextual()
                ? resource.replace("\"@\"", value.asText())
                : resource.replace("@", "x".repeat(value.asInt()));
    }

    @Test
    void aConditionThatNoColumnHoldsIsRefused() throws Exception {
        String body = "{\"resourceType\":\"Patient\",\"identifier\":[{\"system\":\"http://s.example\",\"value\":\"%s\"}]}";
        for (int length : List.of(100, 800)) {
            String value = "v".repeat(length);
            FhirClient.Answer answer = fhir.send(
                    "POST", "/Patient", body.formatted(value), "If-None-Exist", "identifier=http://s.example%7C" + value);
            assertThat(answer.status()).as(answer.text()).isEqualTo(length == 100 ? 201 : 400);
        }
    }

    /** HAPI tried again with definitions of tags that had been undone, and what was stored had lost them. */
    @Test
    void aTagThatIsRefusedTakesNoOtherWithIt() throws Exception {
        String coding = "{\"system\":\"%s\",\"code\":\"%s\",\"display\":\"%s\"}";
        String body = "{\"resourceType\":\"Patient\",\"meta\":{\"tag\":[%s]}}";
        String longest = "x".repeat(201);
        for (String other : List.of(
                coding.formatted("http://t.example", longest, "one"),
                coding.formatted(longest, "two", "two"),
                coding.formatted("http://t.example", "three", longest))) {
            String fresh = coding.formatted(TAGS, UUID.randomUUID(), "Team");
            assertThat(fhir.send("POST", "/Patient", body.formatted(fresh + "," + other)).status()).isEqualTo(400);
            FhirClient.Answer kept = fhir.send("POST", "/Patient", body.formatted(fresh));
            assertThat(fhir.get("/Patient/" + kept.json().get("id").asText()).json().at("/meta/tag").toString())
                    .isEqualTo("[" + fresh + "]");
        }
    }

    @Test
    void whatMetaCannotHoldIsRefused() throws Exception {
        String body = "{\"resourceType\":\"Patient\",\"id\":\"meta-limits\",\"meta\":{%s}}";
        String coding = "\"%s\":[{\"system\":\"http://t.example\",\"code\":\"a\"},"
                + "{\"system\":\"http://t.example\",\"code\":\"b\",\"version\":\"%s\"}]";
        for (String[] one : new String[][] {
            {coding.formatted("tag", "v".repeat(30)), coding.formatted("tag", "v".repeat(31)), "meta.tag[1].version has 31"},
            {coding.formatted("security", "v".repeat(30)), coding.formatted("security", "v".repeat(31)),
                "meta.security[1].version has 31"},
            {"\"source\":\"http://" + "s".repeat(761) + "\"", "\"source\":\"http://" + "s".repeat(762) + "\"",
                "meta.source has 769"}
        }) {
            FhirClient.Answer fits = fhir.send("PUT", "/Patient/meta-limits", body.formatted(one[0]));
            assertThat(fits.status()).as(fits.text()).isIn(200, 201);
            String put = "{\"resource\":" + body.formatted(one[1])
                    + ",\"request\":{\"method\":\"PUT\",\"url\":\"Patient/meta-limits\"}}";
            for (FhirClient.Answer answer : List.of(
                    fhir.send("PUT", "/Patient/meta-limits", body.formatted(one[1])),
                    fhir.send("POST", "/Patient", body.formatted(one[1])),
                    fhir.send("POST", "", bundle(put)))) {
                assertThat(answer.status()).as(answer.text()).isEqualTo(400);
                assertThat(answer.json().at("/issue/0/diagnostics").asText()).contains(one[2]);
            }
        }
    }

    /** A record that is deleted and written again has the tags that the write says, and its old versions their own. */
    @Test
    void whatIsWrittenAgainHasNoOldTags() throws Exception {
        String deletion = "{\"request\":{\"method\":\"DELETE\",\"url\":\"Patient/%s\"}}";
        String entry = "{\"resource\":%s,\"request\":{\"method\":\"PUT\",\"url\":\"Patient/%s\"}}";
        for (String way : List.of("alone", "transaction", "batch", "condition")) {
            String id = "again-" + UUID.randomUUID();
            String url = "/Patient/" + id;
            String old = patient("Old", id).replaceFirst("\\{", "{\"id\":\"" + id + "\",");
            String plain = "{\"resourceType\":\"Patient\",\"id\":\"" + id + "\"}";
            assertThat(fhir.send("PUT", url, old).status()).isEqualTo(201);
            FhirClient.Answer deleted = switch (way) {
                case "alone" -> fhir.send("DELETE", url, null);
                case "condition" -> fhir.send("DELETE", "/Patient?_tag=" + TAGS + "%7C" + id, null);
                default -> fhir.send("POST", "", bundle(deletion.formatted(id)).replace("transaction", way));
            };
            assertThat(deleted.status()).as(way + deleted.text()).isEqualTo(200);
            assertThat(fhir.get(url).status()).as(way).isEqualTo(410);
            FhirClient.Answer again = way.equals("transaction")
                    ? fhir.send("POST", "", bundle(entry.formatted(plain, id)))
                    : fhir.send("PUT", url, plain);
            assertThat(again.status()).as(way + again.text()).isIn(200, 201);
            assertThat(fhir.get(url).json().at("/meta/tag").isMissingNode()).as(way).isTrue();
            assertThat(fhir.get("/Patient?_tag=" + TAGS + "%7C" + id + "&_summary=count").json().get("total").asInt())
                    .as(way)
                    .isZero();
            assertThat(fhir.get(url + "/_history/1").json().at("/meta/tag/0/code").asText()).as(way).isEqualTo(id);
            String other = patient("New", id + "-new").replaceFirst("\\{", "{\"id\":\"" + id + "\",");
            assertThat(fhir.send("DELETE", url, null).status()).isEqualTo(200);
            assertThat(fhir.send("PUT", url, other).status()).isIn(200, 201);
            assertThat(fhir.get(url).json().at("/meta/tag")).as(way).hasSize(1);
        }
    }

    @Test
    void originsAreThoseNamed() throws Exception {
        assertThat(fhir.get("/metadata", "Origin", "https://web.example.org")
                        .headers()
                        .firstValue("Access-Control-Allow-Origin"))
                .contains("https://web.example.org");
        assertThat(fhir.get("/metadata", "Origin", "https://evil.example.org")
                        .headers()
                        .firstValue("Access-Control-Allow-Origin"))
                .isEmpty();
    }

    @Test
    void longHeadersAreTakenAndTooLongOnesRefused() throws Exception {
        assertThat(fhir.get("/metadata?_elements=fhirVersion", "Authorization", "Bearer " + "x".repeat(40_000))
                        .status())
                .isEqualTo(200);
        assertThat(fhir.get("/metadata", "Authorization", "Bearer " + "x".repeat(100_000)).status())
                .isIn(400, 431);
    }

    @Test
    void neitherLogNorMetricsHoldWhatWasSearched() throws Exception {
        String secret = "Secret" + UUID.randomUUID().toString().replace("-", "");
        fhir.get("/Patient?family=" + secret);
        fhir.get("/Patient?birthdate=not-a-date-" + secret);
        fhir.send("POST", "/Patient", "{\"resourceType\":\"Patient\",\"gender\":\"" + secret + "\"}");
        String metrics = management.get("/prometheus").text();
        assertThat(metrics)
                .contains("http_server_requests_seconds_count", "fhir_operations_total", "hikaricp_connections", "jvm_memory_used_bytes")
                .doesNotContain(secret);
        assertThat(server.output()).contains(" access GET /fhir/Patient 200 ").doesNotContain(secret);
    }

    @Test
    void readinessFollowsTheDatabase() throws Exception {
        assertThat(readiness()).isEqualTo(200);
        database.down();
        try {
            await("down", () -> readiness() == 503);
            assertThat(management.get("/health/liveness").status()).isEqualTo(200);
            FhirClient.Answer answer = fhir.get("/Patient?_count=1");
            assertThat(answer.status()).isGreaterThanOrEqualTo(500);
            assertThat(answer.json().get("resourceType").asText()).isEqualTo("OperationOutcome");
        } finally {
            database.up();
        }
        await("ready again", () -> readiness() == 200);
        assertThat(fhir.get("/Patient?_count=1").status()).isEqualTo(200);
    }

    @Test
    void exitCodes(@TempDir Path other) throws Exception {
        try (ServerProcess wrong = ServerProcess.start(other, yaml, "--hapi.fhir.no_such_key=1")) {
            assertThat(wrong.exitCode()).isEqualTo(78);
            assertThat(wrong.output())
                    .contains("command line: hapi.fhir.no_such_key: nothing in this server reads it")
                    .doesNotContain("\tat ");
        }
        try (ServerProcess nowhere = ServerProcess.start(
                other,
                yaml,
                "--spring.datasource.url=jdbc:postgresql://127.0.0.1:" + freePort() + "/none",
                "--fhirstack.database.wait-for=3s",
                "--fhirstack.database.retry-interval=1s")) {
            assertThat(nowhere.exitCode()).isEqualTo(69);
            assertThat(nowhere.output()).contains("waiting for the database").doesNotContain("\tat ");
        }
    }

    @Test
    void stopsWhenAskedAndFindsItsSchemaAgain(@TempDir Path other) throws Exception {
        int managementPort = freePort();
        FhirClient second = new FhirClient("http://127.0.0.1:" + managementPort + "/actuator");
        try (ServerProcess process = ServerProcess.start(
                other, yaml, "--server.port=" + freePort(), "--management.server.port=" + managementPort)) {
            await("a second server", () -> {
                try {
                    return second.get("/health/readiness").status() == 200;
                } catch (IOException | InterruptedException e) {
                    return false;
                }
            });
            assertThat(process.output()).contains("nothing to do");
            process.terminate();
            assertThat(process.exitCode()).isEqualTo(143);
        }
    }
}
