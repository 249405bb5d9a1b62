package org.fhirstack.gateway;

import com.fasterxml.jackson.databind.JsonNode;
import java.math.BigDecimal;
import java.nio.ByteBuffer;
import java.nio.CharBuffer;
import java.nio.charset.CharsetDecoder;
import java.nio.charset.CoderResult;
import java.nio.charset.StandardCharsets;
import java.util.Map;

/** What JSON can say and no FHIR server can keep: refused with the place, before it fails further in. */
final class JsonText {
    /** Digits before and after the point: what a decimal of FHIR needs, and a double can still hold. */
    private static final int MOST_DIGITS = 400;
    private static final int CHUNK = 8192;

    private JsonText() {
    }

    /** Refuses bytes that are not UTF-8, and the character U+0000. */
    static void needUtf8(byte[] body) {
        CharsetDecoder decoder = StandardCharsets.UTF_8.newDecoder();
        ByteBuffer in = ByteBuffer.wrap(body);
        CharBuffer out = CharBuffer.allocate(CHUNK);
        int line = 1;
        CoderResult result;
        do {
            result = decoder.decode(in, out, true);
            out.flip();
            while (out.hasRemaining()) {
                char c = out.get();
                line += c == '\n' ? 1 : 0;
                if (c == 0) {
                    throw Refusal.malformed("The body has the character U+0000, line " + line + ".");
                }
            }
            out.clear();
        } while (result.isOverflow());
        if (result.isError()) {
            throw Refusal.malformed("The body is not UTF-8, line " + line + ".");
        }
    }

    /** Refuses texts that are not Unicode or have U+0000, and numbers that are not finite. */
    static void check(JsonNode node, ElementPath path) {
        if (node.isObject()) {
            for (Map.Entry<String, JsonNode> member : node.properties()) {
                ElementPath place = path.member(member.getKey());
                text(member.getKey(), place);
                check(member.getValue(), place);
            }
        } else if (node.isArray()) {
            for (int i = 0; i < node.size(); i++) {
                check(node.get(i), path.item(i));
            }
        } else if (node.isTextual()) {
            text(node.textValue(), path);
        } else if (node.isNumber()) {
            number(node.decimalValue(), path);
        }
    }

    /** Refuses a number whose digits would fill pages when written out, or that no double can hold. */
    static void number(BigDecimal number, ElementPath path) {
        if (number.precision() > MOST_DIGITS || Math.abs((long) number.scale()) > MOST_DIGITS
                || Double.isInfinite(number.doubleValue())) {
            throw path.refuse("this number is too large, or too small, to be kept.");
        }
    }

    private static void text(String text, ElementPath path) {
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            if (c == 0) {
                throw path.refuse("the character U+0000 is not allowed in FHIR.");
            }
            if (Character.isSurrogate(c)) {
                if (!Character.isHighSurrogate(c) || i + 1 == text.length()
                        || !Character.isLowSurrogate(text.charAt(i + 1))) {
                    throw path.refuse("half of a surrogate pair is no character.");
                }
                i++;
            }
        }
    }
}
