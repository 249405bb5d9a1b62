package org.fhirstack.gateway.proxy;

import jakarta.servlet.AsyncContext;
import jakarta.servlet.ReadListener;
import jakarta.servlet.ServletInputStream;
import java.io.ByteArrayInputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.io.SequenceInputStream;
import java.net.SocketTimeoutException;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.function.Consumer;
import java.util.zip.GZIPInputStream;
import java.util.zip.ZipException;
import org.fhirstack.gateway.Refusal;

/**
 * One body on its way. No thread waits for it: the container calls when bytes have come, and the room calls when there is
 * room again. Ends with one call of {@code then} or {@code failed}.
 */
final class BodyReading implements ReadListener {
    private static final int FIRST = 1_024;
    private static final int LONGEST_CHUNK = 256 << 10;
    private static final long PATIENCE = 45_000_000_000L;

    private enum State { READING, WAITING, DECODING, OVER }

    private final AsyncContext async;
    private final ServletInputStream in;
    private final Kind kind;
    private final Body body;
    private final Consumer<Body> then;
    private final Consumer<Refusal> failed;
    private final List<byte[]> full = new ArrayList<>();
    private final Pace pace = new Pace(System.nanoTime());
    private byte[] chunk = new byte[0];
    private int inChunk;
    private long count;
    private State state = State.READING;
    private Runnable waiter;
    private int waitsFor;
    private long waitsSince;

    /**
     * What is known of a body.
     *
     * @param most   bytes, before and after decompression
     * @param length as its head says, negative when it does not
     */
    record Kind(boolean gzip, int most, long length) {
    }

    BodyReading(AsyncContext async, ServletInputStream in, Kind kind, Body body, Consumer<Body> then,
            Consumer<Refusal> failed) {
        this.async = async;
        this.in = in;
        this.kind = kind;
        this.body = body;
        this.then = then;
        this.failed = failed;
    }

    @Override
    public void onDataAvailable() {
        try {
            synchronized (this) {
                while (state == State.READING && in.isReady()) {
                    if (inChunk == chunk.length && !grow()) {
                        return;
                    }
                    int n = in.read(chunk, inChunk, chunk.length - inChunk);
                    if (n < 0) {
                        return;
                    }
                    inChunk += n;
                    count += n;
                    if (count > kind.most()) {
                        throw BodyReader.tooLong(kind.most());
                    }
                }
            }
        } catch (IOException | RuntimeException e) {
            fail(e);
        }
    }

    /** A new chunk; false when there is no room for it yet. */
    private boolean grow() {
        long left = Math.max(1, kind.length() >= 0 ? kind.length() - count : kind.most() - count + 1);
        int size = (int) Math.min(left, Math.min(LONGEST_CHUNK, Math.max(FIRST, count)));
        if (!take(size, () -> {
            allocate(size);
            onDataAvailable();
        }, State.READING)) {
            return false;
        }
        allocate(size);
        return true;
    }

    private void allocate(int size) {
        synchronized (this) {
            if (inChunk > 0) {
                full.add(chunk);
            }
            chunk = new byte[size];
            inChunk = 0;
        }
    }

    /** Takes room now, or goes on with {@code later} on a thread of the container when there is some. */
    private boolean take(int size, Runnable later, State next) {
        Runnable resume = () -> {
            try {
                async.start(() -> resume(later, next));
            } catch (IllegalStateException e) {
                fail(e);
            }
        };
        // The room may call before take() is back.
        waiter = resume;
        waitsFor = size;
        waitsSince = System.nanoTime();
        State before = state;
        state = State.WAITING;
        if (body.take(size, resume)) {
            state = before;
            return true;
        }
        return false;
    }

    private void resume(Runnable later, State next) {
        synchronized (this) {
            if (state != State.WAITING) {
                return;
            }
            state = next;
            pace.restart(System.nanoTime(), count);
        }
        later.run();
    }

    @Override
    public void onAllDataRead() {
        synchronized (this) {
            if (state != State.READING) {
                return;
            }
            state = State.DECODING;
        }
        try {
            if (!kind.gzip()) {
                finish(joined());
                return;
            }
            int size = length();
            boolean now;
            synchronized (this) {
                // The room of the compressed bytes is given back with them.
                int more = (int) Math.max(0, size - count);
                now = more == 0 || take(more, () -> inflate(size), State.DECODING);
            }
            if (now) {
                inflate(size);
            }
        } catch (IOException | RuntimeException e) {
            fail(e);
        }
    }

    private byte[] joined() {
        byte[] all = new byte[(int) count];
        int at = 0;
        for (byte[] part : full) {
            System.arraycopy(part, 0, all, at, part.length);
            at += part.length;
        }
        System.arraycopy(chunk, 0, all, at, inChunk);
        return all;
    }

    private InputStream decompressed() throws IOException {
        List<InputStream> parts = new ArrayList<>();
        full.forEach(part -> parts.add(new ByteArrayInputStream(part)));
        parts.add(new ByteArrayInputStream(chunk, 0, inChunk));
        return new GZIPInputStream(new SequenceInputStream(Collections.enumeration(parts)));
    }

    /** How long the body is, found without keeping it. */
    private int length() throws IOException {
        byte[] buffer = new byte[16_384];
        int length = 0;
        try (InputStream zip = decompressed()) {
            for (int n = zip.read(buffer); n >= 0; n = zip.read(buffer)) {
                length += n;
                if (length > kind.most()) {
                    throw BodyReader.tooLong(kind.most());
                }
            }
            return length;
        } catch (ZipException | EOFException e) {
            throw Refusal.malformed("The body is not gzip, or is cut off.");
        }
    }

    private void inflate(int size) {
        try (InputStream zip = decompressed()) {
            finish(zip.readNBytes(size));
        } catch (IOException | RuntimeException e) {
            fail(e);
        }
    }

    private void finish(byte[] content) {
        synchronized (this) {
            if (state == State.OVER) {
                return;
            }
            state = State.OVER;
        }
        full.clear();
        chunk = new byte[0];
        body.content(content);
        then.accept(body);
    }

    @Override
    public void onError(Throwable problem) {
        fail(problem);
    }

    private void fail(Throwable problem) {
        synchronized (this) {
            if (state == State.OVER) {
                return;
            }
            if (state == State.WAITING) {
                body.cancel(waitsFor, waiter);
            }
            state = State.OVER;
            full.clear();
            chunk = new byte[0];
        }
        body.close();
        failed.accept(problem instanceof Refusal refusal ? refusal
                : problem instanceof SocketTimeoutException ? BodyReader.slow()
                : Refusal.malformed("The body ends before its end, or its chunks are not HTTP's."));
    }

    /** Looks whether the sender is too slow, or has waited too long; called about once a second. */
    void check(long nanos) {
        Refusal refusal = null;
        synchronized (this) {
            if (state == State.READING && pace.tooSlow(nanos, count)) {
                refusal = BodyReader.slow();
            } else if (state == State.WAITING && nanos - waitsSince > PATIENCE) {
                refusal = Room.busy();
            }
        }
        if (refusal != null) {
            fail(refusal);
        }
    }
}
