package org.fhirstack.gateway.custom;

import com.fasterxml.jackson.databind.JsonNode;
import com.github.benmanes.caffeine.cache.Cache;
import java.time.Duration;
import java.util.Collections;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import org.fhirstack.gateway.Refusal;
import org.fhirstack.gateway.sync.Assignments;
import org.fhirstack.gateway.sync.Changes;
import org.fhirstack.gateway.sync.Lookups;
import org.fhirstack.gateway.sync.Remembered;
import org.fhirstack.gateway.token.User;

/** Whose hierarchies a user may read. */
final class HierarchyRights {
    private static final int MOST = 2_000;

    /** The answer depends on nothing else, so users with the same assignments share it. */
    private record Question(Set<String> locations, Set<String> assigned) {
    }

    private final Lookups lookups;
    private final Assignments assignments;
    private final Remembered<String, Set<String>> assigned;
    private final Remembered<Question, Set<String>> open;

    HierarchyRights(Lookups lookups, Assignments assignments, Changes changes, Duration kept) {
        this.lookups = lookups;
        this.assignments = assignments;
        this.assigned = new Remembered<>(changes, Changes.Topic.ASSIGNMENTS, kept, MOST, ids -> 1);
        this.open = new Remembered<>(changes, Changes.Topic.LOCATIONS, kept, MOST, answer -> 1);
    }

    Map<String, Cache<?, ?>> caches() {
        return Map.of("assigned-locations", assigned.cache(), "lineages", open.cache());
    }

    /**
     * The locations whose hierarchies are to be read.
     *
     * @param named  by {@code _id}
     * @param chosen by {@code _syncLocations}: left out of who may not choose, as in searches; the app names there what
     *               a person chose, beside its {@code _id}
     */
    Set<String> roots(User user, Set<String> named, Set<String> chosen, boolean fresh) {
        Set<String> asked = named.isEmpty() && user.has(User.ALL_LOCATIONS) ? chosen : named;
        if (asked.isEmpty()) {
            return assigned(user, fresh);
        }
        if (user.android() && !user.has(User.ALL_LOCATIONS)) {
            Set<String> own = assigned(user, fresh);
            return open.get(new Question(asked, own), fresh, () -> open(asked, own));
        }
        return asked;
    }

    /**
     * What of these is the user's. An application names one root for all its users, such as the country, and its sync
     * ends when that is refused: who works below a place gets what is below it and the user's own.
     */
    private Set<String> open(Set<String> asked, Set<String> own) {
        Set<String> inside = Lineage.inside(lookups, asked, own);
        Set<String> open = new TreeSet<>(inside);
        for (String above : asked) {
            if (!inside.contains(above)) {
                Set<String> below = Lineage.inside(lookups, own, Set.of(above));
                if (below.isEmpty()) {
                    throw Refusal.denied("outside", "A location is not one that you are assigned to, nor below or above"
                            + " one.");
                }
                open.addAll(below);
            }
        }
        return Collections.unmodifiableSet(open);
    }

    private Set<String> assigned(User user, boolean fresh) {
        return assigned.get(user.sub(), fresh, () -> {
            JsonNode practitioner = assignments.practitioner(user.sub());
            if (practitioner == null) {
                throw new Refusal(404, "not-found", "There is no Practitioner with your user id as its identifier.");
            }
            // In one order everywhere, or the pages of two replicas would not fit together.
            return Collections.unmodifiableSet(new TreeSet<>(assignments.locationsOf(practitioner.path("id")
                    .asText())));
        });
    }
}
