package org.fhirstack.gateway.proxy;

import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.SequenceInputStream;
import org.fhirstack.gateway.Json;
import org.fhirstack.gateway.Refusal;
import org.fhirstack.gateway.sync.Reading;

/** Judges one resource by its tags, having read no more of it than its head. */
final class TaggedRead {
    private TaggedRead() {
    }

    /**
     * Returns the whole body again when the resource may be seen; refuses when not.
     *
     * @param everybodys whether it is of a type that everybody reads
     * @param what as {@code Type/id}
     */
    static InputStream judge(InputStream body, Reading reading, boolean everybodys, String what) throws IOException {
        Recorder recorder = new Recorder(body);
        try (JsonParser p = Json.factory().createParser(recorder)) {
            p.disable(JsonParser.Feature.AUTO_CLOSE_SOURCE);
            if (p.nextToken() != JsonToken.START_OBJECT
                    || !reading.may(EntryFacts.Resource.read(p, true).tags(), everybodys)) {
                throw Refusal.outside(what, true);
            }
        }
        return new SequenceInputStream(new ByteArrayInputStream(recorder.seen.toByteArray()), body);
    }

    private static final class Recorder extends InputStream {
        private final InputStream in;
        private final ByteArrayOutputStream seen = new ByteArrayOutputStream(8192);

        Recorder(InputStream in) {
            this.in = in;
        }

        @Override
        public int read() throws IOException {
            int b = in.read();
            if (b >= 0) {
                seen.write(b);
            }
            return b;
        }

        @Override
        public int read(byte[] bytes, int offset, int length) throws IOException {
            int n = in.read(bytes, offset, length);
            if (n > 0) {
                seen.write(bytes, offset, n);
            }
            return n;
        }
    }
}
