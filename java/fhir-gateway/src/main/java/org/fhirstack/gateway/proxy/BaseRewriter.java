package org.fhirstack.gateway.proxy;

import java.io.FilterOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;

/**
 * Replaces the backend's base by the public one in a stream of bytes, wherever the chunks break. The base is ASCII, so
 * bytes can be compared without decoding.
 */
public final class BaseRewriter extends FilterOutputStream {
    private final byte[] from;
    private final byte[] to;
    private final byte[] held;
    private int matched;

    public BaseRewriter(OutputStream out, String from, String to) {
        super(out);
        this.from = from.getBytes(StandardCharsets.US_ASCII);
        this.to = to.getBytes(StandardCharsets.US_ASCII);
        this.held = this.from;
    }

    @Override
    public void write(int b) throws IOException {
        write(new byte[] {(byte) b}, 0, 1);
    }

    @Override
    public void write(byte[] bytes, int offset, int length) throws IOException {
        int end = offset + length;
        int clean = offset;
        int i = offset;
        while (i < end) {
            if (bytes[i] == from[matched]) {
                matched++;
                i++;
                if (matched == from.length) {
                    emit(bytes, clean, i - from.length);
                    out.write(to);
                    clean = i;
                    matched = 0;
                }
            } else if (matched == 0) {
                i++;
            } else {
                // "http" can only begin again where an h stands: fall back to the longest prefix that still fits.
                int keep = fallback(bytes[i]);
                int dropped = matched - keep;
                int before = i - matched;
                if (before < clean) {
                    // The failed match began in an earlier chunk, whose bytes were held back.
                    int earlier = Math.min(dropped, clean - before);
                    out.write(held, 0, earlier);
                }
                matched = keep;
            }
        }
        emit(bytes, clean, end - matched);
    }

    private void emit(byte[] bytes, int from, int to) throws IOException {
        if (to > from) {
            out.write(bytes, from, to - from);
        }
    }

    /** The length of the longest proper prefix that ends what was matched and goes on with this byte; else 0. */
    private int fallback(byte next) {
        for (int keep = matched - 1; keep > 0; keep--) {
            if (from[keep] == next && isSuffix(keep)) {
                return keep;
            }
        }
        return 0;
    }

    private boolean isSuffix(int keep) {
        for (int k = 0; k < keep; k++) {
            if (from[k] != from[matched - keep + k]) {
                return false;
            }
        }
        return true;
    }

    /** Writes what was held back; nothing can follow. */
    public void finish() throws IOException {
        out.write(held, 0, matched);
        matched = 0;
    }

    @Override
    public void flush() throws IOException {
        out.flush();
    }

    @Override
    public void close() throws IOException {
        finish();
        out.close();
    }
}
