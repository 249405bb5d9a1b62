package org.fhirstack.gateway.access;

import java.util.HashMap;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import org.fhirstack.gateway.sync.Existing;
import org.fhirstack.gateway.sync.Existing.Current;

/** What is there of the resources that a bundle addresses: noted entry by entry, read together. */
final class CurrentStates {
    private final Existing existing;
    /** Ids by type: those of which only the tags matter, and those of which all does. */
    private final Map<String, Set<String>> tags = new TreeMap<>();
    private final Map<String, Set<String>> wholes = new TreeMap<>();
    private final Map<String, Write> conditions = new TreeMap<>();
    private final Map<String, Current> found = new HashMap<>();

    CurrentStates(Existing existing) {
        this.existing = existing;
    }

    void need(String type, String id) {
        tags.computeIfAbsent(type, t -> new TreeSet<>()).add(id);
    }

    void need(Write write, boolean whole) {
        if (write.id == null) {
            conditions.put(write.url(), write);
        } else if (whole) {
            wholes.computeIfAbsent(write.type, t -> new TreeSet<>()).add(write.id);
        } else {
            need(write.type, write.id);
        }
    }

    void read() {
        tags.forEach((type, ids) -> read(type, ids, false));
        wholes.forEach((type, ids) -> read(type, ids, true));
        conditions.forEach((url, write) -> found.put(url, existing.matching(write.type, write.condition)));
    }

    private void read(String type, Set<String> ids, boolean whole) {
        existing.of(type, ids, whole).forEach((id, current) -> found.put(type + "/" + id, current));
    }

    /** Null when there is nothing, or when nobody needs to know. */
    Current of(String type, String id) {
        return found.get(type + "/" + id);
    }

    Current of(Write write) {
        return found.get(write.url());
    }
}
