package org.fhirstack.gateway.access;

import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.Map;
import org.fhirstack.gateway.request.Query;

/**
 * A request as the backend gets it: built from what was judged, never copied from what came in.
 *
 * @param path    below the backend's base, without a leading slash
 * @param headers what the interaction needs besides the common ones
 */
public record Outgoing(String method, String path, Query query, String contentType, byte[] body,
        Map<String, String> headers) {
    /** What a JSON Patch (RFC 6902) is called. */
    public static final String JSON_PATCH = "application/json-patch+json";
    private static final int LONGEST_URL = 6_000;
    private static final String JSON = "application/fhir+json; charset=UTF-8";
    private static final String FORM = "application/x-www-form-urlencoded; charset=UTF-8";

    public static Outgoing get(String path, Query query) {
        return new Outgoing("GET", path, query, null, null, Map.of());
    }

    /** A search by GET, or by POST when its URL would be too long for a backend. */
    public static Outgoing search(String type, Query query) {
        String encoded = query.encode();
        return encoded.length() <= LONGEST_URL ? get(type, query) : new Outgoing("POST", type + "/_search",
                Query.EMPTY, FORM, encoded.getBytes(StandardCharsets.US_ASCII), Map.of());
    }

    public static Outgoing write(String method, String path, Query query, byte[] json) {
        return new Outgoing(method, path, query, json == null ? null : JSON, json, Map.of());
    }

    static Outgoing patch(String path, Query query, byte[] operations) {
        return new Outgoing("PATCH", path, query, JSON_PATCH + "; charset=UTF-8", operations, Map.of());
    }

    public Outgoing with(String header, String value) {
        if (value == null) {
            return this;
        }
        Map<String, String> more = new HashMap<>(headers);
        more.put(header, value);
        return new Outgoing(method, path, query, contentType, body, Map.copyOf(more));
    }

    public String target() {
        return query.isEmpty() ? path : path + "?" + query.encode();
    }
}
