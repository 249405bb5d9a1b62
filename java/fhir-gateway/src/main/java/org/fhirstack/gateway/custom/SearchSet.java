package org.fhirstack.gateway.custom;

import com.fasterxml.jackson.core.JsonGenerator;
import java.io.IOException;
import java.util.LinkedHashMap;
import java.util.Map;

/** The frame of a Bundle of type searchset. */
final class SearchSet {
    private final int total;
    private final Map<String, String> links = new LinkedHashMap<>();

    /** @param total how many resources match, on all pages together */
    SearchSet(int total, String self) {
        this.total = total;
        links.put("self", self);
    }

    SearchSet link(String relation, String url) {
        links.put(relation, url);
        return this;
    }

    /** Writes the bundle. */
    void write(JsonGenerator out, boolean anyEntry, Answer.Body entries) throws IOException {
        out.writeStartObject();
        out.writeStringField("resourceType", "Bundle");
        out.writeStringField("type", "searchset");
        out.writeNumberField("total", total);
        out.writeArrayFieldStart("link");
        for (Map.Entry<String, String> link : links.entrySet()) {
            out.writeStartObject();
            out.writeStringField("relation", link.getKey());
            out.writeStringField("url", link.getValue());
            out.writeEndObject();
        }
        out.writeEndArray();
        if (anyEntry) {
            out.writeArrayFieldStart("entry");
            entries.write(out);
            out.writeEndArray();
        }
        out.writeEndObject();
    }

    /** Writes one entry. */
    static void entry(JsonGenerator out, String fullUrl, Answer.Body resource) throws IOException {
        out.writeStartObject();
        if (fullUrl != null) {
            out.writeStringField("fullUrl", fullUrl);
        }
        out.writeFieldName("resource");
        resource.write(out);
        out.writeObjectFieldStart("search");
        out.writeStringField("mode", "match");
        out.writeEndObject();
        out.writeEndObject();
    }
}
