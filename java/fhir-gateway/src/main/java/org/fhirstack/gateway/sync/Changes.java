package org.fhirstack.gateway.sync;

import java.util.Collection;
import java.util.EnumMap;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.atomic.AtomicLong;

/**
 * Says what a write makes stale. A write that may change a topic starts a new generation of it, so nothing that was
 * read before the write is used after it.
 */
public final class Changes {

    /** What is remembered, and the types that it is made of. */
    public enum Topic {
        ASSIGNMENTS("CareTeam", "Practitioner", "PractitionerRole", "Organization", "OrganizationAffiliation",
                "Location", "Composition", "Binary"),
        DETAILS("CareTeam", "Practitioner", "PractitionerRole", "Organization", "OrganizationAffiliation", "Location",
                "Group", "Composition", "Binary"),
        LOCATIONS("Location");

        private final Set<String> types;

        Topic(String... types) {
            this.types = Set.of(types);
        }
    }

    private final Map<Topic, AtomicLong> generations = new EnumMap<>(Topic.class);

    public Changes() {
        for (Topic topic : Topic.values()) {
            generations.put(topic, new AtomicLong());
        }
    }

    /** Forgets every topic that is made of one of these types. */
    public void written(Collection<String> types) {
        generations.forEach((topic, generation) -> {
            if (types.stream().anyMatch(topic.types::contains)) {
                generation.incrementAndGet();
            }
        });
    }

    long generation(Topic topic) {
        return generations.get(topic).get();
    }
}
