package org.fhirstack.gateway.proxy;

import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;
import java.io.OutputStream;
import java.util.ArrayDeque;
import java.util.Arrays;
import java.util.Deque;

/**
 * One answer between the FHIR server and its reader. It is held whole, so that the connection to the FHIR server is
 * given back at once and a slow reader holds memory alone, of which there is a part for each. What finds no room goes
 * on as its reader takes it, on the worker's thread; few may.
 */
final class Delivery extends OutputStream {
    /** So much of each answer needs no room of the shared one; the edge takes it at once. */
    private static final int SMALL = 65_536;
    private static final int FIRST = 8_192;

    private final Deliveries all;
    private final HttpServletResponse response;
    private final Deque<byte[]> full = new ArrayDeque<>();
    private String owner;
    private byte[] chunk = new byte[0];
    private int inChunk;
    private long count;
    private long taken;
    private boolean direct;
    private boolean sending;

    Delivery(Deliveries all, String owner, HttpServletResponse response) {
        this.all = all;
        this.owner = owner;
        this.response = response;
    }

    /** @param other whose room is taken from now on, before anything was */
    void owner(String other) {
        owner = other;
    }

    @Override
    public void write(int b) throws IOException {
        write(new byte[] {(byte) b}, 0, 1);
    }

    @Override
    public void write(byte[] bytes, int offset, int length) throws IOException {
        int at = offset;
        int end = offset + length;
        while (at < end) {
            if (!direct && inChunk == chunk.length && !grow()) {
                goDirect();
            }
            if (direct) {
                response.getOutputStream().write(bytes, at, end - at);
                return;
            }
            int n = Math.min(end - at, chunk.length - inChunk);
            System.arraycopy(bytes, at, chunk, inChunk, n);
            inChunk += n;
            count += n;
            at += n;
        }
    }

    /** A new chunk; false when there is no room for it. */
    private boolean grow() {
        int size = count == 0 ? FIRST : (int) Math.min(SMALL, count);
        if (count >= SMALL) {
            if (!all.take(owner, size)) {
                return false;
            }
            taken += size;
        }
        store();
        chunk = new byte[size];
        return true;
    }

    private void store() {
        if (inChunk > 0) {
            full.add(inChunk == chunk.length ? chunk : Arrays.copyOf(chunk, inChunk));
        }
        chunk = new byte[0];
        inChunk = 0;
    }

    private void goDirect() throws IOException {
        all.startWaiting();
        direct = true;
        drain();
    }

    private void drain() throws IOException {
        for (byte[] next = next(); next != null; next = next()) {
            response.getOutputStream().write(next);
        }
    }

    /** The next part of what is held, or null; its room is given back. */
    byte[] next() {
        if (full.isEmpty()) {
            store();
        }
        byte[] next = full.poll();
        if (next == null) {
            giveBack(taken);
        } else {
            giveBack(Math.min(taken, next.length));
        }
        return next;
    }

    private void giveBack(long size) {
        taken -= size;
        all.release(owner, size);
    }

    /** Sends what is held if it is so little that nobody waits for its reader; false when it is not. */
    boolean sendSmall() throws IOException {
        if (!direct && count > SMALL) {
            return false;
        }
        drain();
        return true;
    }

    /** The rest goes on without the worker that made the answer. */
    void handOver() {
        sending = true;
    }

    /** True when the rest goes on without the worker that made the answer. */
    boolean sending() {
        return sending;
    }

    @Override
    public void close() {
        full.clear();
        chunk = new byte[0];
        inChunk = 0;
        giveBack(taken);
        if (direct) {
            direct = false;
            all.endWaiting();
        }
    }
}
