package org.fhirstack.gateway.sync;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.io.InputStream;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import org.fhirstack.gateway.Json;
import org.fhirstack.gateway.request.FhirTypes;
import org.fhirstack.gateway.request.Query;

/**
 * Which requests of Android users skip the sync filter (their role is still needed). Same file format as OpenSRP's, but
 * an entry that names parameters applies only to requests that have all of them, and one that says {@code untagged}
 * only to reads by id of what carries no tag of an assignment: the programme's own, of a type that health workers write
 * too.
 */
public final class IgnoreRules {
    private static final Set<String> FIELDS = Set.of("path", "methodType", "queryParams", "untagged");
    private static final Set<String> METHODS = Set.of("GET", "POST", "PUT", "PATCH", "DELETE");
    /** Not resource types: the sync filter does not apply to them. Accepted so that OpenSRP's file stays usable. */
    private static final Set<String> FOREIGN = Set.of("LocationHierarchy", "PractitionerDetail", "PractitionerDetails");
    private static final String ANY = "ANY_VALUE";

    private record Entry(String type, String method, Map<String, String> params, boolean untagged) {
    }

    /** Rules, and what is wrong with the file. */
    public record Result(IgnoreRules rules, List<String> problems) {
    }

    private final List<Entry> entries;

    private IgnoreRules(List<Entry> entries) {
        this.entries = List.copyOf(entries);
    }

    /** The rules that the gateway ships with. */
    public static IgnoreRules standard() throws IOException {
        try (InputStream in = IgnoreRules.class.getResourceAsStream("/sync-filter-ignored.json")) {
            Result result = read(in.readAllBytes());
            if (!result.problems().isEmpty()) {
                throw new IOException(result.problems().toString());
            }
            return result.rules();
        }
    }

    public static Result read(byte[] file) {
        List<String> problems = new ArrayList<>();
        List<Entry> entries = new ArrayList<>();
        JsonNode root;
        try {
            root = Json.parse(file);
        } catch (IOException e) {
            return new Result(new IgnoreRules(List.of()), List.of("not valid JSON"));
        }
        if (!root.path("entries").isArray() || root.size() != 1) {
            problems.add("the file must hold one key, entries, a list");
        }
        int index = 0;
        for (JsonNode node : root.path("entries")) {
            Entry entry = entry(node, "entry " + ++index + ": ", problems);
            if (entry != null) {
                entries.add(entry);
            }
        }
        return new Result(new IgnoreRules(entries), problems);
    }

    private static Entry entry(JsonNode node, String where, List<String> problems) {
        node.fieldNames().forEachRemaining(f -> {
            if (!FIELDS.contains(f)) {
                problems.add(where + "unknown field " + f);
            }
        });
        String path = node.path("path").asText().replaceFirst("/$", "");
        if (FOREIGN.contains(path)) {
            return null;
        }
        if (!FhirTypes.known(path)) {
            problems.add(where + "path must be a resource type of FHIR R4");
            return null;
        }
        String method = node.hasNonNull("methodType") ? node.path("methodType").asText() : null;
        if (method != null && !METHODS.contains(method)) {
            problems.add(where + "methodType must be GET, POST, PUT, PATCH or DELETE");
        }
        Map<String, String> params = new TreeMap<>();
        node.path("queryParams").properties().forEach(p -> params.put(p.getKey(), p.getValue().asText()));
        boolean untagged = node.has("untagged");
        if (untagged && !(node.path("untagged").isBoolean() && node.path("untagged").asBoolean()
                && "GET".equals(method) && params.isEmpty())) {
            problems.add(where + "untagged must be true, with methodType GET and without queryParams");
        }
        return new Entry(path, method, params, untagged);
    }

    /** True when nothing of this type is filtered for reading, whatever the request looks like. */
    public boolean openType(String type) {
        return skips("GET", type, Query.EMPTY, null);
    }

    /**
     * True when the filter does not apply. An entry without a method is about reading: what everybody reads, an
     * Android user may still write only with an own tag.
     *
     * @param id the instance addressed by the path, which counts as the parameter {@code _id}; or null
     */
    public boolean skips(String method, String type, Query query, String id) {
        return entries.stream().anyMatch(e -> e.type().equals(type) && !e.untagged()
                && (e.method() == null ? "GET" : e.method()).equals(method)
                && e.params().entrySet().stream().allMatch(p -> present(p.getKey(), p.getValue(), query, id)));
    }

    /** True when the filter does not apply to reads by id of what carries no tag of an assignment. */
    public boolean skipsUntagged(String type) {
        return entries.stream().anyMatch(e -> e.type().equals(type) && e.untagged());
    }

    private static boolean present(String name, String wanted, Query query, String id) {
        List<String> values = name.equals("_id") && id != null ? List.of(id) : query.values(name);
        return values.stream().anyMatch(v -> wanted.equals(ANY) ? !v.isBlank() : wanted.equals(v));
    }
}
