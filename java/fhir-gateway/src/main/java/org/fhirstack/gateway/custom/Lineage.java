package org.fhirstack.gateway.custom;

import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import org.fhirstack.gateway.request.Query;
import org.fhirstack.gateway.sync.Lookups;

/** Finds out whether locations lie in others, by going up: one request a level, however much lies below. */
final class Lineage {
    private static final int CHUNK = 200;
    private static final int DEEPEST = 64;

    private Lineage() {
    }

    /** Which of these are one of those, or below one. A location that does not exist is below none. */
    static Set<String> inside(Lookups lookups, Set<String> locations, Set<String> those) {
        Map<String, String> parents = new HashMap<>();
        Collection<String> level = locations.stream().filter(id -> !those.contains(id)).toList();
        for (int depth = 0; !level.isEmpty() && depth < DEEPEST; depth++) {
            Set<String> next = new LinkedHashSet<>();
            lookups.eachOf("Location", "_id", List.copyOf(level), CHUNK, Query.of("_elements", "partOf"), location -> {
                String parent = Lookups.id(location.path("partOf"), "Location");
                if (parent != null) {
                    parents.put(location.path("id").asText(), parent);
                    next.add(parent);
                }
            });
            next.removeAll(those);
            next.removeAll(parents.keySet());
            level = next;
        }
        return locations.stream().filter(id -> reaches(id, parents, those)).collect(Collectors.toSet());
    }

    private static boolean reaches(String id, Map<String, String> parents, Set<String> those) {
        Set<String> passed = new HashSet<>();
        for (String at = id; at != null && passed.add(at); at = parents.get(at)) {
            if (those.contains(at)) {
                return true;
            }
        }
        return false;
    }
}
