package org.fhirstack.gateway.proxy;

import jakarta.servlet.AsyncContext;
import jakarta.servlet.http.HttpServletRequest;
import java.io.IOException;
import java.util.Locale;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import org.fhirstack.gateway.Refusal;
import org.fhirstack.gateway.access.Outgoing;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Reads request bodies whole. Nobody's slow or stalled body keeps others from being served: no thread waits for one,
 * each sender has a part of the room only, and a body must arrive at a pace.
 */
public final class BodyReader implements AutoCloseable {
    private static final int SMALL_BODIES = 16 << 20;
    private static final int SMALL_BODIES_OF_ONE = 4 << 20;
    private static final Logger LOG = LoggerFactory.getLogger(BodyReader.class);
    private final int longest;
    private final Rooms rooms;
    private final Set<BodyReading> readings = ConcurrentHashMap.newKeySet();
    private final ScheduledExecutorService watch = Executors.newSingleThreadScheduledExecutor(r -> {
        Thread thread = new Thread(r, "body-watch");
        thread.setDaemon(true);
        return thread;
    });

    /** Room for the first 64 KB of each body, and for the rest. */
    record Rooms(Room small, Room large) {
    }

    /**
     * @param longest bytes of one body, after decompression; a sender has room for one such body
     * @param all     bytes of all bodies that are being read or judged at one time, beyond the first 64 KB of each
     */
    public BodyReader(int longest, int all) {
        this.longest = longest;
        this.rooms = new Rooms(new Room(SMALL_BODIES, SMALL_BODIES_OF_ONE), new Room(all, longest));
        watch.scheduleAtFixedRate(this::check, 1, 1, TimeUnit.SECONDS);
    }

    private void check() {
        for (BodyReading reading : readings) {
            try {
                reading.check(System.nanoTime());
            } catch (RuntimeException e) {
                // One that fails must not end the watch over the others.
                LOG.warn("a body could not be given up", e);
            }
        }
    }

    /** Refuses what need not be read to know that it is too long or packed otherwise. */
    void check(HttpServletRequest request, int limit) {
        int most = Math.min(limit, longest);
        if (request.getContentLengthLong() > most) {
            throw tooLong(most);
        }
        if (!encoding(request).matches("gzip|identity")) {
            throw new Refusal(415, "media-type", "Only gzip is accepted as Content-Encoding.");
        }
    }

    private static String encoding(HttpServletRequest request) {
        String encoding = request.getHeader("Content-Encoding");
        return encoding == null ? "identity" : encoding.trim().toLowerCase(Locale.ROOT);
    }

    /**
     * Reads a body of at most {@code limit} bytes; the caller's thread does not wait.
     *
     * @param owner  whose room is taken
     * @param then   gets the body, which it must close
     * @param failed gets 400 when the body breaks off, 408, 413 or 503
     */
    void read(HttpServletRequest request, AsyncContext async, String owner, int limit, Consumer<Body> then,
            Consumer<Refusal> failed) throws IOException {
        int most = Math.min(limit, longest);
        boolean gzip = encoding(request).equals("gzip");
        Body body = new Body(owner, rooms);
        BodyReading[] self = new BodyReading[1];
        self[0] = new BodyReading(async, request.getInputStream(), new BodyReading.Kind(gzip, most,
                request.getContentLengthLong()), body, b -> {
            readings.remove(self[0]);
            then.accept(b);
        }, problem -> {
            readings.remove(self[0]);
            failed.accept(problem);
        });
        readings.add(self[0]);
        request.getInputStream().setReadListener(self[0]);
    }

    static Refusal slow() {
        return new Refusal(408, "body-timeout", "The body did not arrive in time.");
    }

    static Refusal tooLong(int most) {
        return new Refusal(413, "too-long", "The body is longer than " + most + " bytes.");
    }

    @Override
    public void close() {
        watch.shutdownNow();
    }

    /** Refuses a body that is not JSON: nothing else is judged here. */
    static void needJson(HttpServletRequest request) {
        String type = mediaType(request);
        if (!type.equals("application/fhir+json") && !type.equals("application/json")
                && !type.equals("application/json+fhir")) {
            throw new Refusal(415, "media-type", "The body must be application/fhir+json.");
        }
    }

    /** Refuses a body of a PATCH that is no JSON Patch. */
    static void needPatch(HttpServletRequest request) {
        if (!mediaType(request).equals(Outgoing.JSON_PATCH)) {
            throw new Refusal(415, "media-type", "A PATCH needs a JSON Patch, " + Outgoing.JSON_PATCH + ".");
        }
    }

    static void needForm(HttpServletRequest request) {
        if (!mediaType(request).equals("application/x-www-form-urlencoded")) {
            throw new Refusal(415, "media-type", "A search by POST needs application/x-www-form-urlencoded.");
        }
    }

    private static String mediaType(HttpServletRequest request) {
        String header = request.getHeader("Content-Type");
        String charset = header == null ? "" : header.toLowerCase(Locale.ROOT).replaceAll("[\" ]", "");
        if (charset.contains("charset=") && !charset.contains("charset=utf-8")) {
            throw new Refusal(415, "media-type", "The body must be UTF-8.");
        }
        return charset.replaceFirst(";.*", "");
    }
}
