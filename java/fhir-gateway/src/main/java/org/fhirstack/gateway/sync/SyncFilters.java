package org.fhirstack.gateway.sync;

import com.github.benmanes.caffeine.cache.Cache;
import java.time.Duration;
import java.util.Collection;
import java.util.Set;
import java.util.TreeSet;
import org.fhirstack.gateway.Refusal;
import org.fhirstack.gateway.request.FhirUrl;
import org.fhirstack.gateway.token.User;

/** The sync filters of Android users, remembered for a while and until assignments are written. */
public final class SyncFilters {
    private static final int MOST = 2_000;

    private record Key(String sub, String appId, String locations, boolean any) {
    }

    /** A filter, or why there is none. */
    private record Outcome(SyncFilter filter, Refusal refusal) {
        SyncFilter get() {
            if (refusal != null) {
                throw refusal;
            }
            return filter;
        }
    }

    private final Assignments assignments;
    private final TagSystems systems;
    private final Remembered<Key, Outcome> remembered;

    public SyncFilters(Assignments assignments, TagSystems systems, Duration kept, Changes changes) {
        this.assignments = assignments;
        this.systems = systems;
        this.remembered = new Remembered<>(changes, Changes.Topic.ASSIGNMENTS, kept, MOST, outcome -> 1);
    }

    public Cache<?, ?> cache() {
        return remembered.cache();
    }

    /** The systems of all tags that say whose a resource is, whatever the application's strategy. */
    public Collection<String> tagSystems() {
        return systems.systems().values();
    }

    /**
     * The filter of an Android user.
     *
     * @param chosen the value of {@code _syncLocations}; only users with ALL_LOCATIONS choose, and only under the
     *               strategy RelatedEntityLocation: for all others it changes nothing. Empty when not given.
     */
    public SyncFilter of(User user, String chosen) {
        String locations = user.has(User.ALL_LOCATIONS) ? normal(chosen) : "";
        Key key = new Key(user.sub(), user.appId(), locations, user.has(User.ALL_LOCATIONS));
        return remembered.get(key, false, () -> lookup(user, locations)).get();
    }

    private static String normal(String chosen) {
        Set<String> ids = new TreeSet<>();
        for (String id : chosen.split(",")) {
            if (!id.isBlank()) {
                if (!FhirUrl.validId(id.strip()) || ids.size() > 500) {
                    throw Refusal.malformed("_syncLocations must list ids of locations.");
                }
                ids.add(id.strip());
            }
        }
        return String.join(",", ids);
    }

    private Outcome lookup(User user, String locations) {
        try {
            return new Outcome(resolve(user, locations), null);
        } catch (Refusal refusal) {
            if (refusal.status() != 403) {
                throw refusal;
            }
            return new Outcome(null, refusal);
        }
    }

    private SyncFilter resolve(User user, String locations) {
        TagSystems.Strategy strategy = assignments.strategy(user.appId());
        String system = systems.of(strategy);
        if (strategy != TagSystems.Strategy.RELATED_ENTITY_LOCATION || !user.has(User.ALL_LOCATIONS)) {
            return new SyncFilter(system, Set.copyOf(assignments.ids(user.sub(), strategy)), false);
        }
        if (!locations.isEmpty()) {
            return new SyncFilter(system, Set.copyOf(assignments.withDescendants(Set.of(locations.split(",")))), true);
        }
        try {
            return new SyncFilter(system, Set.copyOf(assignments.ids(user.sub(), strategy)), true);
        } catch (Refusal refusal) {
            if (refusal.status() != 403) {
                throw refusal;
            }
            return new SyncFilter(system, Set.of(), true);
        }
    }
}
