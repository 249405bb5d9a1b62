package org.fhirstack.gateway;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.zip.GZIPOutputStream;
import org.fhirstack.gateway.config.ConfigurationException;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Slow, stalled and large bodies: their senders wait, nobody else. */
class BodiesTest {
    private static final int WORKERS = 8;
    private static final int MANY = 5 * WORKERS;
    private static final int TURNS = 4;
    private static final int LONGEST = 1 << 20;
    @TempDir
    static Path directory;
    private static TestGateway gateway;
    private final List<Socket> open = new ArrayList<>();
    private final ScheduledExecutorService drip = Executors.newSingleThreadScheduledExecutor();

    @BeforeAll
    static void start() throws IOException, ConfigurationException, InterruptedException {
        gateway = new TestGateway(directory, Map.of(), "--server.tomcat.threads.max=" + WORKERS,
                "--server.tomcat.threads.min-spare=1", "--gateway.max-body=1MB", "--gateway.max-bodies=1536KB",
                "--gateway.max-writes=" + TURNS);
    }

    @AfterAll
    static void stop() {
        gateway.close();
    }

    @AfterEach
    void end() throws IOException {
        drip.shutdownNow();
        for (Socket socket : open) {
            socket.close();
        }
    }

    private Socket begin(String head, int length, String... more) throws IOException {
        List<String> headers = new ArrayList<>(List.of(more));
        headers.add("Content-Length: " + length);
        headers.add("Content-Type: application/fhir+json");
        Socket socket = gateway.begin(head, headers.toArray(new String[0]));
        open.add(socket);
        return socket;
    }

    private static void write(Socket socket, byte[] bytes) throws IOException {
        socket.getOutputStream().write(bytes);
        socket.getOutputStream().flush();
    }

    /** One more byte of every body each second, as a slow attacker sends them. */
    private void dripping() {
        drip.scheduleAtFixedRate(() -> {
            for (Socket socket : open) {
                try {
                    write(socket, new byte[] {' '});
                } catch (IOException e) {
                    // The gateway has given it up.
                    continue;
                }
            }
        }, 1, 1, TimeUnit.SECONDS);
    }

    private static void othersAreServed() throws IOException {
        for (int i = 0; i < MANY; i++) {
            try (Socket socket = gateway.begin("GET /fhir/metadata")) {
                assertEquals(200, TestGateway.parse(socket.getInputStream()).status());
            }
        }
    }

    private static byte[] patient(int length) {
        byte[] bytes = new byte[length];
        Arrays.fill(bytes, (byte) ' ');
        byte[] start = "{\"resourceType\":\"Patient\"".getBytes(StandardCharsets.US_ASCII);
        System.arraycopy(start, 0, bytes, 0, start.length);
        bytes[length - 1] = '}';
        return bytes;
    }

    private TestGateway.Answer post(String as, int length) throws IOException {
        Socket socket = begin("POST /fhir/Patient", length, gateway.bearer(as, "POST_PATIENT"));
        write(socket, patient(length));
        return TestGateway.parse(socket.getInputStream());
    }

    @Test
    void slowBodiesOfStrangersHoldNoWorkers() throws IOException {
        for (int i = 0; i < MANY; i++) {
            write(begin("POST /fhir", 50_000), "{".getBytes(StandardCharsets.US_ASCII));
        }
        dripping();
        othersAreServed();
        TestGateway.Answer slow = TestGateway.parse(open.get(0).getInputStream());
        assertEquals(408, slow.status());
        assertTrue(slow.body().contains("OperationOutcome"), slow.body());
    }

    @Test
    void slowBodiesOfUsersHoldNoWorkers() throws IOException {
        String token = gateway.bearer("web", "POST_PATIENT");
        for (int i = 0; i < MANY; i++) {
            write(begin(i % 2 == 0 ? "POST /fhir/Patient" : "POST /fhir", 50_000, token), new byte[] {'{'});
        }
        dripping();
        othersAreServed();
    }

    @Test
    void theRestOfARefusedBodyHoldsNoWorker() throws IOException {
        String token = gateway.bearer("web", "POST_OBSERVATION");
        for (int i = 0; i < MANY; i++) {
            Socket socket = switch (i % 4) {
                case 0 -> begin("POST /fhir/Patient", 50_000);
                case 1 -> begin("PUT /fhir/Patient/x", 50_000, "Authorization: Bearer none");
                case 2 -> begin("DELETE /fhir/Patient/x", 50_000, token);
                default -> begin("GET /fhir/Patient/ours", 50_000, token);
            };
            assertTrue(TestGateway.parse(socket.getInputStream()).status() >= 400);
        }
        dripping();
        othersAreServed();
    }

    @Test
    void oneUserHasAPartOfTheRoom() throws IOException {
        for (int length : new int[] {900_000, 500_000}) {
            write(begin("POST /fhir/Patient", LONGEST, gateway.bearer("amina", "POST_PATIENT")),
                    Arrays.copyOf(patient(LONGEST), length));
        }
        for (int length : new int[] {100_000, 300_000, 1_000}) {
            assertEquals(201, post("baraka", length).status());
        }
        assertEquals(201, post("amina", 60_000).status());
    }

    @Test
    void whoFindsNoRoomWaits() throws Exception {
        Socket amina = begin("POST /fhir/Patient", LONGEST, gateway.bearer("amina", "POST_PATIENT"));
        write(amina, Arrays.copyOf(patient(LONGEST), LONGEST - 1));
        write(begin("POST /fhir/Patient", 500_000, gateway.bearer("daudi", "POST_PATIENT")),
                Arrays.copyOf(patient(500_000), 400_000));
        CompletableFuture<Integer> waits = CompletableFuture.supplyAsync(() -> {
            try {
                return post("baraka", 900_000).status();
            } catch (IOException e) {
                throw new java.io.UncheckedIOException(e);
            }
        });
        othersAreServed();
        // The last byte ends the upload, and gives its room to who waits.
        write(amina, new byte[] {'}'});
        assertEquals(201, TestGateway.parse(amina.getInputStream()).status());
        assertEquals(201, waits.get(60, TimeUnit.SECONDS));
    }

    /** As many writes as users send reach the FHIR server in turns; readers never wait for them. */
    @Test
    void writesWaitForTheirTurn() throws Exception {
        gateway.backend.held = new CountDownLatch(1);
        List<String> senders = List.of("amina", "baraka", "daudi", "web");
        for (int i = 0; i < MANY; i++) {
            write(begin("POST /fhir/Patient", 1_000, gateway.bearer(senders.get(i % 4), "POST_PATIENT")),
                    patient(1_000));
        }
        while (gateway.backend.writing.get() < TURNS) {
            Thread.onSpinWait();
        }
        othersAreServed();
        assertEquals(TURNS, gateway.backend.writing.get());
        gateway.backend.held.countDown();
        for (Socket socket : open) {
            assertEquals(201, TestGateway.parse(socket.getInputStream()).status());
        }
    }

    /** One sender has half of the turns: who writes without end does not keep others from writing. */
    @Test
    void oneSenderHasHalfOfTheTurns() throws Exception {
        gateway.backend.held = new CountDownLatch(1);
        String greedy = gateway.bearer("amina", "POST_PATIENT");
        for (int i = 0; i < MANY; i++) {
            write(begin("POST /fhir/Patient", 1_000, greedy), patient(1_000));
        }
        while (gateway.backend.writing.get() < TURNS / 2) {
            Thread.onSpinWait();
        }
        write(begin("POST /fhir/Patient", 1_000, gateway.bearer("baraka", "POST_PATIENT")), patient(1_000));
        while (gateway.backend.writing.get() < TURNS / 2 + 1) {
            Thread.onSpinWait();
        }
        othersAreServed();
        assertEquals(TURNS / 2 + 1, gateway.backend.writing.get());
        gateway.backend.held.countDown();
        for (Socket socket : open) {
            assertEquals(201, TestGateway.parse(socket.getInputStream()).status());
        }
    }

    @Test
    void compressedBodiesAreWholeOrRefused() throws IOException {
        ByteArrayOutputStream packed = new ByteArrayOutputStream();
        try (GZIPOutputStream zip = new GZIPOutputStream(packed)) {
            zip.write(patient(LONGEST));
        }
        byte[] good = packed.toByteArray();
        ByteArrayOutputStream longer = new ByteArrayOutputStream();
        try (GZIPOutputStream zip = new GZIPOutputStream(longer)) {
            zip.write(patient(LONGEST + 1));
        }
        assertEquals(201, compressed(good));
        assertEquals(413, compressed(longer.toByteArray()));
        assertEquals(400, compressed(Arrays.copyOf(good, good.length / 2)));
        assertEquals(400, compressed(Arrays.copyOf(good, 5)));
        assertEquals(400, compressed(new byte[] {1, 2, 3}));
        byte[] broken = good.clone();
        broken[broken.length - 5] ^= 1;
        assertEquals(400, compressed(broken));
    }

    private int compressed(byte[] bytes) throws IOException {
        Socket socket = begin("POST /fhir/Patient", bytes.length, gateway.bearer("web", "POST_PATIENT"),
                "Content-Encoding: gzip");
        write(socket, bytes);
        return TestGateway.parse(socket.getInputStream()).status();
    }

    @Test
    void bodiesComeInAnyPieces() throws IOException {
        for (int length : new int[] {1_000, 1_024, 1_025, 65_536, 65_537, 200_000, LONGEST}) {
            for (int piece : new int[] {length, 70_001, 4_099}) {
                Socket socket = begin("POST /fhir/Patient", length, gateway.bearer("web", "POST_PATIENT"));
                byte[] body = patient(length);
                for (int at = 0; at < length; at += piece) {
                    write(socket, Arrays.copyOfRange(body, at, Math.min(length, at + piece)));
                }
                gateway.backend.asked.clear();
                assertEquals(201, TestGateway.parse(socket.getInputStream()).status(), length + " in " + piece);
            }
        }
        Socket chunked = gateway.begin("POST /fhir/Patient", gateway.bearer("web", "POST_PATIENT"),
                "Content-Type: application/fhir+json", "Transfer-Encoding: chunked");
        open.add(chunked);
        for (String part : List.of("{\"resourceType\":", "\"Patient\",\"active\":", "true}", "")) {
            write(chunked, (Integer.toHexString(part.length()) + "\r\n" + part + "\r\n")
                    .getBytes(StandardCharsets.US_ASCII));
        }
        assertEquals(201, TestGateway.parse(chunked.getInputStream()).status());
        Socket tooLong = gateway.begin("POST /fhir/Patient", gateway.bearer("web", "POST_PATIENT"),
                "Content-Type: application/fhir+json", "Transfer-Encoding: chunked");
        open.add(tooLong);
        write(tooLong, (Integer.toHexString(LONGEST + 2) + "\r\n").getBytes(StandardCharsets.US_ASCII));
        write(tooLong, new byte[LONGEST + 1]);
        assertEquals(413, TestGateway.parse(tooLong.getInputStream()).status());
    }
}
