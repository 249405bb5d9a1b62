package org.fhirstack.gateway;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.zip.GZIPInputStream;
import org.fhirstack.gateway.config.ConfigurationException;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Answers that nobody reads: who asked for them waits, nobody else. */
class ReadersTest {
    private static final int WORKERS = 8;
    private static final int MANY = 3 * WORKERS;
    /** More than the sockets between two programs of one machine hold. */
    private static final int LONG = 6 << 20;
    @TempDir
    static Path directory;
    private static TestGateway wide;
    private static TestGateway narrow;
    private final List<Socket> open = new ArrayList<>();

    @BeforeAll
    static void start() throws IOException, ConfigurationException, InterruptedException {
        wide = gateway("wide", "500MB");
        narrow = gateway("narrow", "32MB");
    }

    private static TestGateway gateway(String name, String room)
            throws IOException, ConfigurationException, InterruptedException {
        return new TestGateway(Files.createDirectory(directory.resolve(name)), Map.of(),
                "--server.tomcat.threads.max=" + WORKERS, "--server.tomcat.threads.min-spare=1",
                "--gateway.max-answers=" + room);
    }

    @AfterAll
    static void stop() {
        wide.close();
        narrow.close();
    }

    @AfterEach
    void end() throws IOException {
        for (Socket socket : open) {
            socket.close();
        }
    }

    private void ask(TestGateway gateway, String head, int length, String... headers) throws IOException {
        List<String> all = new ArrayList<>(List.of(headers));
        all.add("X-Request-Id: long-" + length);
        open.add(gateway.beginSlow(head, all.toArray(new String[0])));
    }

    private static void othersAreServed(TestGateway gateway) throws IOException {
        String token = gateway.bearer("web", "GET_PATIENT");
        for (int i = 0; i < MANY; i++) {
            for (String head : List.of("GET /fhir/metadata", "GET /fhir/Patient/ours", "GET /fhir/Patient")) {
                try (Socket socket = gateway.begin(head, token)) {
                    assertEquals(200, TestGateway.parse(socket.getInputStream()).status(), head);
                }
            }
        }
    }

    private static void serverIsFree(TestGateway gateway) throws InterruptedException {
        for (int i = 0; gateway.backend.open.get() > 0; i++) {
            assertTrue(i < 600, gateway.backend.open + " answers are held at the FHIR server");
            Thread.sleep(100);
        }
    }

    @Test
    void readersHoldNeitherWorkersNorTheServer() throws IOException, InterruptedException {
        String token = wide.bearer("web", "GET_PATIENT");
        for (String head : List.of("GET /fhir/metadata", "GET /fhir/Patient/ours", "GET /fhir/Patient",
                "GET /fhir/Patient/ours/_history")) {
            for (int i = 0; i < MANY / 2; i++) {
                if (head.endsWith("metadata")) {
                    ask(wide, head, LONG);
                } else {
                    ask(wide, head, LONG, token);
                }
            }
            othersAreServed(wide);
            serverIsFree(wide);
        }
    }

    @Test
    void oneReaderHasAPartOfTheRoomAndOfTheWorkers() throws IOException {
        String token = narrow.bearer("web", "GET_PATIENT");
        for (int i = 0; i < MANY; i++) {
            ask(narrow, "GET /fhir/Patient/ours", LONG, token);
        }
        othersAreServed(narrow);
        String other = narrow.bearer("web2", "GET_PATIENT");
        try (Socket socket = narrow.begin("GET /fhir/Patient/ours", other, "X-Request-Id: long-" + LONG)) {
            assertEquals(200, TestGateway.parse(socket.getInputStream()).status());
        }
        int refused = 0;
        for (Socket socket : open) {
            String answer = new String(socket.getInputStream().readNBytes(12), StandardCharsets.US_ASCII);
            refused += answer.endsWith("503") ? 1 : 0;
            socket.close();
        }
        // At most one fits, and one worker may wait.
        assertTrue(refused >= MANY - 2, refused + " of " + MANY);
    }

    @Test
    void strangersOfOneAddressShareAPartOfTheRoom() throws IOException {
        for (String network : List.of("192.0.2.1", "2001:db8:1:2:")) {
            for (int i = 0; i < MANY; i++) {
                ask(narrow, "GET /fhir/metadata", LONG, "X-Forwarded-For: " + network
                        + (network.endsWith(":") ? Integer.toHexString(i) + "::1" : ""));
            }
        }
        othersAreServed(narrow);
        for (String other : List.of("192.0.2.2", "2001:db8:1:3::1")) {
            try (Socket socket = narrow.begin("GET /fhir/metadata", "X-Forwarded-For: " + other,
                    "X-Request-Id: long-" + LONG)) {
                assertEquals(200, TestGateway.parse(socket.getInputStream()).status());
            }
        }
    }

    @Test
    void answersOfAnyLengthArriveWhole() throws IOException {
        String token = narrow.bearer("web", "GET_PATIENT");
        for (int length : new int[] {0, 65_000, 65_536, 66_000, 131_072, 1_000_000, 9 << 20}) {
            for (String head : List.of("GET /fhir/metadata", "GET /fhir/Patient/ours", "GET /fhir/Patient")) {
                for (boolean packed : new boolean[] {false, true}) {
                    try (Socket socket = narrow.begin(head, token, "X-Request-Id: long-" + length,
                            "Accept-Encoding: " + (packed ? "gzip" : "identity"))) {
                        byte[] body = body(socket.getInputStream().readAllBytes());
                        String type = Json.parse(body).path("resourceType").asText();
                        assertTrue(body.length > length && !type.isEmpty(), head + " " + length);
                    }
                }
            }
        }
    }

    /** The body of an answer, without its chunks and unpacked. */
    private static byte[] body(byte[] answer) throws IOException {
        String text = new String(answer, StandardCharsets.ISO_8859_1);
        int end = text.indexOf("\r\n\r\n");
        String head = text.substring(0, end).toLowerCase(java.util.Locale.ROOT);
        assertEquals("200", head.substring(9, 12), head);
        StringBuilder body = new StringBuilder();
        int at = end + 4;
        if (!head.contains("transfer-encoding: chunked")) {
            body.append(text, at, text.length());
        }
        while (body.isEmpty() || !text.startsWith("0\r\n\r\n", at)) {
            if (!head.contains("transfer-encoding: chunked")) {
                break;
            }
            int line = text.indexOf("\r\n", at);
            int size = Integer.parseInt(text.substring(at, line), 16);
            body.append(text, line + 2, line + 2 + size);
            at = line + 4 + size;
        }
        byte[] bytes = body.toString().getBytes(StandardCharsets.ISO_8859_1);
        return head.contains("content-encoding: gzip")
                ? new GZIPInputStream(new ByteArrayInputStream(bytes)).readAllBytes() : bytes;
    }
}
