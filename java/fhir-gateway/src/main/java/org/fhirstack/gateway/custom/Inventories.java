package org.fhirstack.gateway.custom;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.fhirstack.gateway.request.Query;
import org.fhirstack.gateway.sync.Lookups;

/** Which locations have an inventory: a List whose subject they are. */
final class Inventories {
    private static final int CHUNK = 200;

    private Inventories() {
    }

    static Set<String> among(Lookups lookups, List<Place> places) {
        Set<String> found = new HashSet<>();
        lookups.eachOf("List", "subject", Lookups.references("Location", places.stream().map(Place::id).toList()),
                CHUNK, Query.of("_elements", "subject"), (JsonNode list) -> Lookups.add(found, list.path("subject"),
                "Location"));
        return found;
    }
}
