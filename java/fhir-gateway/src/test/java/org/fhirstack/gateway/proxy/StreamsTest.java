package org.fhirstack.gateway.proxy;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.function.Function;
import java.util.stream.Stream;
import org.fhirstack.gateway.Cases;
import org.fhirstack.gateway.Refusal;
import org.fhirstack.gateway.sync.Tag;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;

class StreamsTest {

    /** Runs a text through a filter, in chunks of every length, which must not matter. */
    private static String run(String text, Function<OutputStream, OutputStream> filter, boolean finish)
            throws IOException {
        byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
        String first = null;
        for (int size = 1; size <= bytes.length + 1; size++) {
            ByteArrayOutputStream result = new ByteArrayOutputStream();
            OutputStream out = filter.apply(result);
            for (int at = 0; at < bytes.length; at += size) {
                out.write(bytes, at, Math.min(size, bytes.length - at));
            }
            if (out instanceof BaseRewriter rewriter) {
                rewriter.finish();
            } else if (finish) {
                ((BundleStream) out).finish();
            }
            String now = result.toString(StandardCharsets.UTF_8);
            if (first != null) {
                assertEquals(first, now, "chunks of " + size);
            }
            first = now;
        }
        return first;
    }

    @TestFactory
    Stream<DynamicTest> rewriting() throws IOException {
        return Cases.of("rewriting.json", one -> assertEquals(one.path("to").asText(), run(one.path("from").asText(),
                out -> new BaseRewriter(out, one.path("backend").asText("http://hapi:8080/fhir"), "https://f.org/fhir"),
                false)));
    }

    @TestFactory
    Stream<DynamicTest> bundles() throws IOException {
        return Cases.of("bundle-streams.json", one -> {
            List<String> dropped = Cases.texts(one.path("drop"));
            Function<OutputStream, OutputStream> filter = out -> new BundleStream(out, links -> "[\"L\"]".getBytes(),
                    one.path("judged").asBoolean() ? (index, entry) -> dropped.contains(String.valueOf(index)) ? null
                            : entry : null);
            if (one.path("refused").asBoolean()) {
                assertThrows(Refusal.class, () -> run(one.path("from").asText(), filter, true));
            } else {
                assertEquals(one.path("to").asText(), run(one.path("from").asText(), filter, true));
            }
        });
    }

    @Test
    void aLongBodyKeepsItsBytes() throws IOException {
        StringBuilder text = new StringBuilder();
        for (int i = 0; i < 20_000; i++) {
            text.append("http://hapi:8080/fhi").append(i % 3 == 0 ? "r/Patient/" : "x/").append(i).append('é');
        }
        byte[] bytes = text.toString().getBytes(StandardCharsets.UTF_8);
        ByteArrayOutputStream result = new ByteArrayOutputStream();
        BaseRewriter out = new BaseRewriter(result, "http://hapi:8080/fhir", "https://f.org/fhir");
        for (int at = 0, size = 1; at < bytes.length; at += size, size = size % 997 + 13) {
            out.write(bytes, at, Math.min(size, bytes.length - at));
        }
        out.finish();
        assertEquals(text.toString().replace("http://hapi:8080/fhir", "https://f.org/fhir"),
                result.toString(StandardCharsets.UTF_8));
    }

    @Test
    void factsOfAnEntry() {
        try {
            EntryFacts facts = EntryFacts.read("""
                    {"fullUrl":"x","resource":{"resourceType":"Patient","contained":[{"resourceType":"List","meta":
                    {"tag":[{"system":"s","code":"no"}]}}],"meta":{"tag":[{"system":"t","code":"no"},
                    {"code":"yes","system":"s","extra":{"a":[1]}}]},"name":[{"family":"x"}]},"search":{"mode":"include"}}
                    """.getBytes(StandardCharsets.UTF_8));
            assertEquals(new EntryFacts("include", "Patient", List.of(Tag.of("t", "no"), Tag.of("s", "yes")), null), facts);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
