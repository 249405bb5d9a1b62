package org.fhirstack.gateway.proxy;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;

/** Holds what is written until it is released, or until it is more than some: then it goes on as it comes. */
final class HeldStream extends OutputStream {
    private final OutputStream out;
    private final int most;
    private ByteArrayOutputStream held = new ByteArrayOutputStream();

    /** @param most bytes that are held */
    HeldStream(OutputStream out, int most) {
        this.out = out;
        this.most = most;
    }

    @Override
    public void write(int b) throws IOException {
        write(new byte[] {(byte) b}, 0, 1);
    }

    @Override
    public void write(byte[] bytes, int offset, int length) throws IOException {
        if (held != null && held.size() + length > most) {
            release();
        }
        (held == null ? out : held).write(bytes, offset, length);
    }

    /** Lets go what is held, and all that comes. */
    void release() throws IOException {
        if (held != null) {
            held.writeTo(out);
            held = null;
        }
    }
}
