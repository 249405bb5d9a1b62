package org.fhirstack.gateway.custom;

import java.util.ArrayList;
import java.util.Collection;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import org.fhirstack.gateway.Refusal;
import org.fhirstack.gateway.request.Query;
import org.fhirstack.gateway.sync.Lookups;

/** Locations and all below them through {@code partOf}. A cycle in {@code partOf} is read once. */
final class Forest {
    private static final int MOST_BYTES = 24 << 20;
    private static final int MOST_PLACES = 20_000;
    private static final int DEEPEST = 64;
    private static final int CHUNK = 200;
    private static final long PATIENCE = TimeUnit.SECONDS.toNanos(60);
    private static final Query PAGE = Query.of("_count", "500");
    private static final Comparator<Place> ORDER = Comparator.comparing(Place::name).thenComparing(Place::id);

    private final Map<String, Place> places = new LinkedHashMap<>();
    private final Map<String, List<Place>> children = new HashMap<>();
    private final Set<String> attached = new HashSet<>();
    private int bytes;

    private Forest() {
    }

    /**
     * Reads the backend level by level, many locations a request; 413 when there are too many, 504 when it takes more
     * than a minute. Roots that do not exist are left out.
     */
    static Forest load(Lookups lookups, Collection<String> roots) {
        Forest forest = new Forest();
        long end = System.nanoTime() + PATIENCE;
        lookups.eachOf("Location", "_id", List.copyOf(roots), CHUNK, PAGE, location -> forest.add(Place.of(location)));
        List<String> level = List.copyOf(forest.places.keySet());
        for (int depth = 0; !level.isEmpty(); depth++) {
            if (depth > DEEPEST) {
                throw new Refusal(413, "too-long", "The hierarchy is deeper than " + DEEPEST + " levels.");
            }
            List<String> next = new ArrayList<>();
            lookups.eachOf("Location", "partof", Lookups.references("Location", level), CHUNK, PAGE, location -> {
                Place place = Place.of(location);
                if (forest.below(place)) {
                    next.add(place.id());
                }
                if (System.nanoTime() > end) {
                    throw new Refusal(504, "backend-timeout", "The locations could not be read in time.");
                }
            });
            level = next;
        }
        forest.children.values().forEach(list -> list.sort(ORDER));
        return forest;
    }

    private void add(Place place) {
        bytes += place.json().length;
        if (places.size() >= MOST_PLACES || bytes > MOST_BYTES) {
            throw new Refusal(413, "too-long", "More than " + MOST_PLACES + " locations, or " + (MOST_BYTES >> 20)
                    + " MB of them, lie below; ask for lower ones.");
        }
        places.put(place.id(), place);
    }

    /** Takes a child in; true when it is new. */
    private boolean below(Place place) {
        Place known = places.get(place.id());
        if (known == null) {
            add(place);
        }
        if (place.parent() != null && places.containsKey(place.parent())) {
            Place child = known == null ? place : known;
            if (attached.add(child.id())) {
                children.computeIfAbsent(place.parent(), id -> new ArrayList<>()).add(child);
            }
        }
        return known == null;
    }

    /** What the cache counts. */
    int weight() {
        return bytes + 200 * places.size() + 200;
    }

    Place place(String id) {
        return places.get(id);
    }

    List<Place> children(String id) {
        return children.getOrDefault(id, List.of());
    }

    /** These roots and everything below, each location once, higher levels first. */
    List<Place> all(Collection<String> roots) {
        Set<String> seen = new LinkedHashSet<>();
        List<Place> found = new ArrayList<>();
        for (String root : roots) {
            if (places.containsKey(root) && seen.add(root)) {
                found.add(places.get(root));
            }
        }
        for (int i = 0; i < found.size(); i++) {
            for (Place child : children(found.get(i).id())) {
                if (seen.add(child.id())) {
                    found.add(child);
                }
            }
        }
        return found;
    }
}
