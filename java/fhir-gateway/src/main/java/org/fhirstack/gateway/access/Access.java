package org.fhirstack.gateway.access;

import java.util.HashSet;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.fhirstack.gateway.Refusal;
import org.fhirstack.gateway.request.FhirUrl;
import org.fhirstack.gateway.request.Query;
import org.fhirstack.gateway.sync.Existing;
import org.fhirstack.gateway.sync.IgnoreRules;
import org.fhirstack.gateway.sync.Reading;
import org.fhirstack.gateway.sync.SyncFilter;
import org.fhirstack.gateway.sync.SyncFilters;
import org.fhirstack.gateway.token.User;

/** What one user may do; shared by the rules for single requests and for bundles. */
final class Access {
    final User user;
    final Existing existing;
    private final IgnoreRules ignoreRules;
    private final SyncFilters filters;
    private final String chosenLocations;
    private SyncFilter filter;
    /** Places that the request makes. */
    private Set<String> places = Set.of();

    Access(User user, IgnoreRules ignoreRules, SyncFilters filters, Existing existing, String chosenLocations) {
        this.user = user;
        this.ignoreRules = ignoreRules;
        this.filters = filters;
        this.existing = existing;
        this.chosenLocations = chosenLocations == null ? "" : chosenLocations;
    }

    String chosenLocations() {
        return chosenLocations;
    }

    /** The user's sync filter, looked up when first needed. */
    SyncFilter filter() {
        if (filter == null) {
            filter = filters.of(user, chosenLocations);
            filter = places.isEmpty() ? filter : filters.with(filter, places);
        }
        return filter;
    }

    /** What an Android user may see: by the sync filter, or of a type that everybody reads. */
    Reading reading(boolean filtered) {
        return filtered ? new Reading(filter(), tagSystems()) : filters.reading(user, chosenLocations);
    }

    /**
     * True when the sync filter applies to a request. It does when a search of what everybody reads asks about what is
     * filtered ({@code Composition?subject=Patient/1}): how many there are would tell of others' patients.
     */
    boolean filtered(String method, String type, Query query, String id) {
        return user.android()
                && (!ignoreRules.skips(method, type, query, id) || References.any(type, query, t -> !openType(t)))
                && !ofTheProgramme(method, type, query, id);
    }

    /** True for a read by id of a type that both write, when all that is named is the programme's: without a tag. */
    private boolean ofTheProgramme(String method, String type, Query query, String id) {
        if (!method.equals("GET") || !ignoreRules.skipsUntagged(type)) {
            return false;
        }
        if (id != null) {
            // One that is gone shows no tags, but its versions may have them.
            return existing.untagged(type, Set.of(id), filters.systems(), true);
        }
        Set<String> ids = query.values("_id").stream().flatMap(v -> Stream.of(v.split(",")))
                .collect(Collectors.toSet());
        return !ids.isEmpty() && ids.stream().allMatch(FhirUrl::validId)
                && existing.untagged(type, ids, filters.systems(), false);
    }

    boolean openType(String type) {
        return ignoreRules.openType(type);
    }

    /** Checks what a search reaches besides its own type. */
    void judge(SearchRules.Reach reach) {
        for (String type : reach.reached()) {
            user.need("GET", type);
            if (user.android() && !openType(type)) {
                throw Refusal.denied("reach", "A search may not depend on resources of type " + type
                        + ", which are filtered for you.");
            }
        }
        reach.included().forEach(type -> user.need("GET", type));
    }

    /** The tag systems of all sync strategies. */
    Set<String> tagSystems() {
        return filters.systems();
    }

    /** The locations that the user is assigned to, and all below, also those that the request makes. */
    Set<String> locations() {
        Set<String> all = new HashSet<>(filters.locations(user));
        all.addAll(places);
        return all;
    }

    /**
     * Lets a request name the places that it makes: a form about a place that was made on a phone is tagged with its id,
     * and both wait there for one upload. They are the user's as soon as they are there; whether they may be made is
     * judged as of any other.
     *
     * @param made ids of Locations, and what each is part of
     */
    void making(Map<String, String> made) {
        Set<String> own = made.isEmpty() ? Set.of() : filters.locations(user);
        Set<String> below = new HashSet<>();
        for (boolean more = !made.isEmpty(); more;) {
            more = false;
            for (Map.Entry<String, String> place : made.entrySet()) {
                more |= (own.contains(place.getValue()) || below.contains(place.getValue()))
                        && below.add(place.getKey());
            }
        }
        places = Set.copyOf(below);
    }

    /**
     * What is there must be the user's.
     *
     * @param current null when there is nothing
     * @param needed  true when there must be something; the refusal does not tell whether there is
     */
    void needInside(Existing.Current current, String type, String id, boolean needed) {
        if (current == null ? needed : !filter().inside(current.tags())) {
            throw needed ? Refusal.outside(type + "/" + id, current != null) : Refusal.denied("outside", type + "/" + id
                    + " is not in your assignments: others have written it.");
        }
    }

    /**
     * What is there may be read, or there is nothing: an old version is read by who may read the present one, for a
     * resource can have moved.
     */
    void needReadable(Existing.Current current, String type, String id, boolean filtered) {
        if (current != null && !reading(filtered).may(current.tags(), !filtered)) {
            throw Refusal.outside(type + "/" + id, true);
        }
    }

    /** A conditional interaction reads: it tells which resources match. */
    Query conditional(String type, Query query) {
        if (user.android()) {
            throw Refusal.denied("conditional", "Conditional interactions are not allowed for Android users.");
        }
        if (query.isEmpty()) {
            throw Refusal.malformed("A conditional interaction needs search parameters.");
        }
        SearchRules.Reach reach = SearchRules.of(type, query);
        if (reach.includes()) {
            throw Refusal.malformed("A conditional interaction takes no includes.");
        }
        user.need("GET", type);
        judge(reach);
        return ChainRules.apply(this, type, query, reach.chains());
    }
}
