package org.fhirstack.gateway;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.StreamReadConstraints;
import com.fasterxml.jackson.core.StreamReadFeature;
import com.fasterxml.jackson.core.StreamWriteFeature;
import com.fasterxml.jackson.core.exc.StreamConstraintsException;
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
 * JSON in and out. Reading is strict (UTF-8, no duplicate keys, nothing after the value, nothing that cannot be kept),
 * because what is judged here is written out again for a second parser, which must see the same document.
 */
public final class Json {
    private static final int MAX_STRING = 256 << 20;
    private static final int MAX_DEPTH = 200;
    private static final JsonFactory FACTORY = JsonFactory.builder()
            .streamReadConstraints(StreamReadConstraints.builder()
                    .maxStringLength(MAX_STRING).maxNestingDepth(MAX_DEPTH).build())
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

    /** Reads one document that a caller sent; 400 when it is not one, says where and why without repeating it. */
    public static JsonNode read(byte[] body) {
        JsonText.needUtf8(body);
        JsonNode node;
        try {
            node = STRICT.readTree(body);
        } catch (JsonProcessingException e) {
            throw Refusal.malformed("The body is not acceptable JSON: " + why(e) + (e.getLocation() == null ? "."
                    : ", line " + e.getLocation().getLineNr() + ", column " + e.getLocation().getColumnNr() + "."));
        } catch (NumberFormatException e) {
            // Jackson lets Java's own refusal of an exponent through.
            throw Refusal.malformed("The body is not acceptable JSON: a number has an exponent that is too large.");
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        if (node == null || node.isMissingNode()) {
            throw Refusal.malformed("The body is empty.");
        }
        JsonText.check(node, ElementPath.of(node.path("resourceType").asText("body")));
        return node;
    }

    private static String why(JsonProcessingException e) {
        if (e instanceof StreamConstraintsException) {
            return e.getOriginalMessage().contains("nesting") ? "nested deeper than " + MAX_DEPTH
                    : "a text or a number is too long";
        }
        return e.getOriginalMessage() != null && e.getOriginalMessage().startsWith("Duplicate field")
                ? "a key appears twice in one object" : "not well-formed";
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
