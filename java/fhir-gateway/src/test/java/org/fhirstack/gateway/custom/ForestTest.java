package org.fhirstack.gateway.custom;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.fhirstack.gateway.Cases;
import org.fhirstack.gateway.Json;
import org.fhirstack.gateway.access.Outgoing;
import org.fhirstack.gateway.request.Query;
import org.fhirstack.gateway.sync.Lookups;
import org.junit.jupiter.api.Test;

/** Large hierarchies, strange ones, and what they cost. */
class ForestTest {
    private static final int PAGE = 500;
    private final Map<String, String> parents = new LinkedHashMap<>();
    private final List<Integer> sizes = new ArrayList<>();
    private int padding;

    /** As much of a FHIR server as finds locations by id or parent, in pages. */
    private JsonNode find(Outgoing out) {
        Query query = out.body() == null ? out.query() : Query.parse(new String(out.body(), StandardCharsets.US_ASCII));
        if (query.has("_getpages")) {
            query = Query.parse(query.single("_getpages")).plus("at", query.single("at"));
        }
        String ids = query.single("_id");
        Set<String> wanted = Set.of((ids == null ? query.single("partof") : ids).split(","));
        boolean byId = ids != null;
        List<String> found = parents.keySet().stream().filter(id -> wanted.contains(byId ? id : "Location/"
                + parents.get(id))).toList();
        int from = query.has("at") ? Integer.parseInt(query.single("at")) : 0;
        ObjectNode bundle = Json.object().put("resourceType", "Bundle");
        ArrayNode entries = bundle.putArray("entry");
        found.subList(from, Math.min(found.size(), from + PAGE)).forEach(id -> entries.addObject().set("resource",
                location(id)));
        if (from + PAGE < found.size()) {
            bundle.putArray("link").addObject().put("relation", "next").put("url", "http://b/fhir?" + Query.of(
                    "_getpages", query.without(Set.of("at")).encode(), "at", String.valueOf(from + PAGE)).encode());
        }
        sizes.add(entries.size());
        return bundle;
    }

    private ObjectNode location(String id) {
        ObjectNode location = Json.object().put("resourceType", "Location").put("id", id)
                .put("description", "x".repeat(padding));
        if (parents.get(id) != null) {
            location.putObject("partOf").put("reference", "Location/" + parents.get(id));
        }
        return location;
    }

    private final Lookups lookups = new Lookups(this::find);

    @Test
    void thousandsOfLocationsCostFewRequests() {
        parents.put("root", null);
        for (int i = 0; i < 20; i++) {
            parents.put("d" + i, "root");
            for (int j = 0; j < 250; j++) {
                parents.put("d" + i + "-" + j, "d" + i);
            }
        }
        Forest forest = Forest.load(lookups, List.of("root"));
        assertEquals(5_021, forest.all(List.of("root")).size());
        assertEquals(250, forest.children("d7").size());
        // One for the root, one for its children, 10 pages of theirs, 25 to find out that nothing is below.
        assertTrue(sizes.size() <= 40, sizes.toString());
        sizes.clear();
        assertEquals(Set.of("d3-17", "d4-200", "d5"), Lineage.inside(lookups, Set.of("d3-17", "d4-200", "d5"),
                Set.of("root")));
        assertEquals(1 + 1, sizes.size());
        assertEquals(Set.of("d3-17"), Lineage.inside(lookups, Set.of("d3-17", "d4-200"), Set.of("d3")));
        assertEquals(Set.of(), Lineage.inside(lookups, Set.of("root"), Set.of("d3")));
        assertEquals(Set.of(), Lineage.inside(lookups, Set.of("root"), Set.of()));
    }

    @Test
    void cyclesEnd() {
        parents.putAll(Map.of("a", "c", "b", "a", "c", "b", "self", "self"));
        assertEquals(List.of("a", "b", "c"), Forest.load(lookups, List.of("a")).all(List.of("a")).stream()
                .map(Place::id).toList());
        assertEquals(1, Forest.load(lookups, List.of("self")).all(List.of("self")).size());
        assertEquals(3, Forest.load(lookups, List.of("a", "b")).all(List.of("b", "a")).size());
        assertEquals(Set.of(), Lineage.inside(lookups, Set.of("a", "self"), Set.of("elsewhere")));
    }

    @Test
    void whatIsTooLargeIsRefused() {
        String above = null;
        for (int i = 0; i < 70; i++) {
            parents.put("deep" + i, above);
            above = "deep" + i;
        }
        assertEquals(413, Cases.status(() -> Forest.load(lookups, List.of("deep0"))));
        assertEquals(200, Cases.status(() -> Forest.load(lookups, List.of("deep10"))));
        parents.put("wide", null);
        for (int i = 0; i < 2_000; i++) {
            parents.put("wide" + i, "wide");
        }
        padding = 20_000;
        assertEquals(413, Cases.status(() -> Forest.load(lookups, List.of("wide"))));
    }
}
