package org.fhirstack.gateway.sync;

import com.github.benmanes.caffeine.cache.AsyncCache;
import com.github.benmanes.caffeine.cache.Cache;
import com.github.benmanes.caffeine.cache.Caffeine;
import java.time.Duration;
import java.util.Collection;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Supplier;
import org.fhirstack.gateway.Refusal;
import org.fhirstack.gateway.request.FhirUrl;
import org.fhirstack.gateway.token.User;

/**
 * The sync filters of Android users, remembered for a while. Each is looked up once however many requests ask for it.
 * A write that may change assignments starts a new generation, so nothing that was read before it is used after it.
 */
public final class SyncFilters {
    private static final Set<String> ASSIGNING = Set.of("CareTeam", "Practitioner", "PractitionerRole", "Organization",
            "OrganizationAffiliation", "Location", "Composition", "Binary");

    private record Key(String sub, String appId, String locations, boolean any, long generation) {
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
    private final boolean caching;
    private final AtomicLong generation = new AtomicLong();
    private final AsyncCache<Key, Outcome> cache;

    public SyncFilters(Assignments assignments, TagSystems systems, Duration kept) {
        this.assignments = assignments;
        this.systems = systems;
        this.caching = !kept.isZero();
        this.cache = Caffeine.newBuilder().maximumSize(2_000).expireAfterWrite(caching ? kept : Duration.ofSeconds(1))
                .executor(Runnable::run).recordStats().buildAsync();
    }

    public Cache<?, ?> cache() {
        return cache.synchronous();
    }

    /** Forgets every filter when one of these types was written. */
    public void written(Collection<String> types) {
        if (types.stream().anyMatch(ASSIGNING::contains)) {
            generation.incrementAndGet();
        }
    }

    /**
     * The filter of an Android user.
     *
     * @param chosen the value of {@code _syncLocations}; only users with ALL_LOCATIONS choose, and only under the
     *               strategy RelatedEntityLocation: for all others it changes nothing. Empty when not given.
     */
    public SyncFilter of(User user, String chosen) {
        String locations = user.has(User.ALL_LOCATIONS) ? normal(chosen) : "";
        Supplier<Outcome> lookup = () -> lookup(user, locations);
        if (!caching) {
            return lookup.get().get();
        }
        Key key = new Key(user.sub(), user.appId(), locations, user.has(User.ALL_LOCATIONS), generation.get());
        CompletableFuture<Outcome> found = cache.getIfPresent(key);
        if (found == null) {
            CompletableFuture<Outcome> mine = new CompletableFuture<>();
            found = cache.asMap().putIfAbsent(key, mine);
            if (found == null) {
                found = mine;
                complete(mine, lookup);
            }
        }
        try {
            return found.join().get();
        } catch (CompletionException e) {
            if (e.getCause() instanceof Refusal refusal) {
                throw refusal;
            }
            throw e;
        }
    }

    /** Looks up in the calling thread, outside of the cache's locks; failures are not kept. */
    private static void complete(CompletableFuture<Outcome> mine, Supplier<Outcome> lookup) {
        try {
            mine.complete(lookup.get());
        } catch (RuntimeException e) {
            mine.completeExceptionally(e);
        }
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
