package org.fhirstack.gateway.sync;

import com.github.benmanes.caffeine.cache.Cache;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
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
    private final Remembered<String, Set<String>> locations;

    public SyncFilters(Assignments assignments, TagSystems systems, Duration kept, Changes changes) {
        this.assignments = assignments;
        this.systems = systems;
        this.remembered = new Remembered<>(changes, Changes.Topic.ASSIGNMENTS, kept, MOST, outcome -> 1);
        this.locations = new Remembered<>(changes, Changes.Topic.ASSIGNMENTS, kept, MOST, ids -> 1);
    }

    /** The tag systems of all strategies. */
    public Set<String> systems() {
        return systems.all();
    }

    public Cache<?, ?> cache() {
        return remembered.cache();
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

    /** The same filter for who is making some places: their ids are tags of locations and of related entities. */
    public SyncFilter with(SyncFilter filter, Set<String> places) {
        return filter.with(Set.copyOf(List.of(systems.of(TagSystems.Strategy.LOCATION),
                systems.of(TagSystems.Strategy.RELATED_ENTITY_LOCATION))), places);
    }

    /** What an Android user may see; of who has no assignments, what is everybody's. */
    public Reading reading(User user, String chosen) {
        try {
            return new Reading(of(user, chosen), systems());
        } catch (Refusal refusal) {
            if (refusal.status() != 403) {
                throw refusal;
            }
            return everybodys();
        }
    }

    /** What everybody may see. */
    public Reading everybodys() {
        return new Reading(null, systems());
    }

    /** The locations of a user's organizations and all below, whatever the sync strategy; empty when there are none. */
    public Set<String> locations(User user) {
        return locations.get(user.sub(), false, () -> assignments.all(user.sub()).get(TagSystems.Strategy.LOCATION));
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
        if (strategy != TagSystems.Strategy.RELATED_ENTITY_LOCATION) {
            return new SyncFilter(system, Set.copyOf(assignments.ids(user.sub(), strategy)), false, Map.of());
        }
        Map<String, Set<String>> otherwise = assignments.all(user.sub()).entrySet().stream().collect(
                Collectors.toMap(e -> systems.of(e.getKey()), e -> Set.copyOf(e.getValue())));
        if (!user.has(User.ALL_LOCATIONS)) {
            return new SyncFilter(system, Set.copyOf(assignments.ids(user.sub(), strategy)), false, otherwise);
        }
        return new SyncFilter(system, locations.isEmpty() ? otherwise.get(systems.of(TagSystems.Strategy.LOCATION))
                : Set.copyOf(assignments.withDescendants(Set.of(locations.split(",")))), true, otherwise);
    }
}
