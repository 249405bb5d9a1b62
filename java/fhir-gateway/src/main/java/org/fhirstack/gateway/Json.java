package org.fhirstack.gateway;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.StreamReadConstraints;
import com.fasterxml.jackson.core.StreamReadFeature;
import com.fasterxml.jackson.core.StreamWriteFeature;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.cfg.JsonNodeFeature;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.io.UncheckedIOException;

/**
 * JSON in and out. Reading is strict (no duplicate keys, nothing after the value), because what is judged here is
 * written out again for a second parser, which must see the same document.
 */
public final class Json {
    private static final int MAX_STRING = 256 << 20;
    private static final JsonFactory FACTORY = JsonFactory.builder()
            .streamReadConstraints(StreamReadConstraints.builder()
                    .maxStringLength(MAX_STRING).maxNestingDepth(200).build())
            .build();
    private static final ObjectMapper STRICT = JsonMapper.builder(FACTORY)
            .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
            .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
            .enable(DeserializationFeature.USE_BIG_DECIMAL_FOR_FLOATS)
            .disable(JsonNodeFeature.STRIP_TRAILING_BIGDECIMAL_ZEROES)
            .enable(StreamWriteFeature.WRITE_BIGDECIMAL_AS_PLAIN)
            .build();

    private Json() {
    }

    /** For token streams over answers of the backend. */
    public static JsonFactory factory() {
        return FACTORY;
    }

    public static ObjectNode object() {
        return STRICT.createObjectNode();
    }

    public static ArrayNode array() {
        return STRICT.createArrayNode();
    }

    /** Reads one document that a caller sent; 400 when it is not one, says why without repeating it. */
    public static JsonNode read(byte[] body) {
        try {
            JsonNode node = STRICT.readTree(body);
            if (node == null || node.isMissingNode()) {
                throw Refusal.malformed("The body is empty.");
            }
            return node;
        } catch (JsonProcessingException e) {
            String what = e.getOriginalMessage() != null && e.getOriginalMessage().startsWith("Duplicate field")
                    ? "a key appears twice in one object" : "not well-formed";
            throw Refusal.malformed("The body is not acceptable JSON: " + what
                    + (e.getLocation() == null ? "." : ", line " + e.getLocation().getLineNr() + "."));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Reads a configuration file or an answer of a trusted party; the error stays an IOException. */
    public static JsonNode parse(byte[] document) throws IOException {
        JsonNode node = STRICT.readTree(document);
        if (node == null || node.isMissingNode()) {
            throw new IOException("empty document");
        }
        return node;
    }

    public static byte[] write(JsonNode node) {
        try {
            return STRICT.writeValueAsBytes(node);
        } catch (JsonProcessingException e) {
            throw Refusal.malformed("The body has a number that cannot be written.");
        }
    }
}
