package org.fhirstack.gateway.proxy;

import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.fhirstack.gateway.Json;
import org.fhirstack.gateway.sync.Tag;

/**
 * What decides about one entry of a bundle, read as a token stream.
 *
 * @param mode    {@code search.mode}, empty when absent
 * @param type    of the resource, null when the entry has none
 * @param tags    of the resource
 * @param written the type in {@code response.location}, null when the entry is no answer to a write
 */
record EntryFacts(String mode, String type, List<Tag> tags, String written) {
    private static final Pattern LOCATION = Pattern.compile("(?:.*/)?([A-Z][A-Za-z]+)/[^/]+(?:/_history/[^/]*)?");

    /** Reads a whole entry. */
    static EntryFacts read(byte[] entry) throws IOException {
        return read(entry, false);
    }

    /** Reads no further than the resource's {@code meta}, which stands at its beginning: no mode, nothing written. */
    static EntryFacts head(byte[] entry) throws IOException {
        return read(entry, true);
    }

    private static EntryFacts read(byte[] entry, boolean early) throws IOException {
        String mode = "";
        String location = "";
        Resource resource = new Resource(null, List.of());
        try (JsonParser p = Json.factory().createParser(entry)) {
            p.nextToken();
            while (p.nextToken() == JsonToken.FIELD_NAME) {
                String field = p.currentName();
                JsonToken value = p.nextToken();
                if (field.equals("resource") && value == JsonToken.START_OBJECT) {
                    resource = Resource.read(p, early);
                    if (early) {
                        break;
                    }
                } else if (field.equals("search") && value == JsonToken.START_OBJECT) {
                    mode = member(p, "mode");
                } else if (field.equals("response") && value == JsonToken.START_OBJECT) {
                    location = member(p, "location");
                } else {
                    p.skipChildren();
                }
            }
        }
        Matcher written = LOCATION.matcher(location);
        return new EntryFacts(mode, resource.type(), resource.tags(), written.matches() ? written.group(1) : null);
    }

    private static String member(JsonParser p, String name) throws IOException {
        String text = "";
        while (p.nextToken() == JsonToken.FIELD_NAME) {
            String field = p.currentName();
            p.nextToken();
            if (field.equals(name)) {
                text = p.getText();
            } else {
                p.skipChildren();
            }
        }
        return text;
    }

    /** The head of a resource. */
    record Resource(String type, List<Tag> tags) {

        /**
         * Reads an object whose start is the parser's current token.
         *
         * @param early stop as soon as {@code meta} was read; the rest of the object stays unread
         */
        static Resource read(JsonParser p, boolean early) throws IOException {
            String type = null;
            List<Tag> tags = List.of();
            while (p.nextToken() == JsonToken.FIELD_NAME) {
                String field = p.currentName();
                JsonToken value = p.nextToken();
                if (field.equals("resourceType")) {
                    type = p.getText();
                } else if (field.equals("meta") && value == JsonToken.START_OBJECT) {
                    tags = meta(p);
                    if (early) {
                        break;
                    }
                } else {
                    p.skipChildren();
                }
            }
            return new Resource(type, tags);
        }

        private static List<Tag> meta(JsonParser p) throws IOException {
            List<Tag> tags = new ArrayList<>();
            while (p.nextToken() == JsonToken.FIELD_NAME) {
                String field = p.currentName();
                JsonToken value = p.nextToken();
                if (field.equals("tag") && value == JsonToken.START_ARRAY) {
                    while (p.nextToken() == JsonToken.START_OBJECT) {
                        tag(p, tags);
                    }
                } else {
                    p.skipChildren();
                }
            }
            return tags;
        }

        private static void tag(JsonParser p, List<Tag> tags) throws IOException {
            String system = "";
            String code = "";
            while (p.nextToken() == JsonToken.FIELD_NAME) {
                String field = p.currentName();
                p.nextToken();
                if (field.equals("system")) {
                    system = p.getText();
                } else if (field.equals("code")) {
                    code = p.getText();
                } else {
                    p.skipChildren();
                }
            }
            tags.add(Tag.of(system, code));
        }
    }
}
