package org.fhirstack.gateway.custom;

import com.github.benmanes.caffeine.cache.Cache;
import java.time.Duration;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.function.Predicate;
import org.fhirstack.gateway.Refusal;
import org.fhirstack.gateway.request.FhirUrl;
import org.fhirstack.gateway.request.GatewayRequest;
import org.fhirstack.gateway.request.Query;
import org.fhirstack.gateway.sync.Assignments;
import org.fhirstack.gateway.sync.Changes;
import org.fhirstack.gateway.sync.Lookups;
import org.fhirstack.gateway.sync.Remembered;
import org.fhirstack.gateway.token.User;

/** The endpoint LocationHierarchy: locations with all below them, as trees or as a list. */
final class LocationHierarchy {
    private static final Set<String> KNOWN = Set.of("_id", "_syncLocations", "mode", "_count", "_page", "_sort",
            "_summary", "summary", Selection.UPDATED, Selection.MIN, Selection.MAX, "filterInventory", "filter_mode_lineage",
            "stream");
    private static final int MOST_BYTES = 32 << 20;
    private static final int MOST_ROOTS = 50;
    /** As in searches: a person ticks places one by one. */
    private static final int MOST_CHOSEN = 500;
    private static final int LOADS = 2;
    private static final int PATIENCE_SECONDS = 60;

    private final Lookups lookups;
    private final HierarchyRights rights;
    private final Remembered<Set<String>, Forest> forests;
    /** Forests that are being read are in no cache yet, and large. */
    private final Semaphore loads = new Semaphore(LOADS);

    LocationHierarchy(Lookups lookups, Assignments assignments, Changes changes, Duration kept) {
        this.lookups = lookups;
        this.rights = new HierarchyRights(lookups, assignments, changes, kept);
        this.forests = new Remembered<>(changes, Changes.Topic.LOCATIONS, kept, MOST_BYTES, Forest::weight);
    }

    Map<String, Cache<?, ?>> caches() {
        Map<String, Cache<?, ?>> caches = new HashMap<>(rights.caches());
        caches.put("location-hierarchies", forests.cache());
        return caches;
    }

    Answer answer(GatewayRequest request, User user, String base, boolean fresh) {
        user.need("GET", FhirUrl.LOCATION_HIERARCHY);
        Parameters parameters = Parameters.of(request, KNOWN);
        boolean list = parameters.oneOf("mode", "tree", "tree", "list").equals("list");
        if (!list && (parameters.has("_summary") || parameters.has(Selection.UPDATED))) {
            throw Refusal.malformed("_summary and _lastUpdated need mode=list.");
        }
        // The app asks for the number of what it is about to fetch as "summary"; of trees it counts those.
        boolean onlyCount = parameters.oneOf("_summary", "false", "count", "false").equals("count")
                || parameters.oneOf("summary", "false", "count", "false").equals("count");
        boolean inventory = parameters.flag("filterInventory");
        if (inventory) {
            user.need("GET", "List");
        }
        // The first changes how the original searches, the second how it writes; neither changes what is found.
        parameters.query().values("filter_mode_lineage").forEach(LocationHierarchy::flag);
        parameters.query().values("stream").forEach(LocationHierarchy::flag);
        Asked asked = new Asked(parameters.query(), base + "/" + FhirUrl.LOCATION_HIERARCHY, onlyCount,
                new Paging(parameters), new PlaceOrder(parameters.text("_sort")));
        Predicate<Place> selection = Selection.of(parameters);
        Set<String> named = parameters.ids("_id", MOST_ROOTS);
        Set<String> chosen = parameters.query().values("_syncLocations").stream().allMatch(String::isBlank) ? Set.of()
                : parameters.ids("_syncLocations", MOST_CHOSEN);
        Set<String> roots = rights.roots(user, named, chosen, fresh);
        Forest forest = forest(roots, fresh);
        if (!named.isEmpty() || !chosen.isEmpty()) {
            needAll(roots, forest);
        }
        List<Place> found = forest.all(roots).stream().filter(selection).toList();
        if (inventory) {
            Set<String> with = Inventories.among(lookups, found);
            found = found.stream().filter(p -> with.contains(p.id())).toList();
        }
        return list ? list(asked, base, found) : trees(asked, forest, roots, found);
    }

    /** What was asked for, besides the locations. */
    private record Asked(Query query, String address, boolean onlyCount, Paging paging,
            PlaceOrder order) {
    }

    private static void flag(String value) {
        if (!List.of("", "true", "false").contains(value)) {
            throw Refusal.malformed("filter_mode_lineage and stream must be true or false.");
        }
    }

    private Forest forest(Set<String> roots, boolean fresh) {
        return roots.isEmpty() ? Forest.load(lookups, roots) : forests.get(Set.copyOf(roots), fresh, () -> {
            try {
                if (!loads.tryAcquire(PATIENCE_SECONDS, TimeUnit.SECONDS)) {
                    throw new Refusal(503, "busy", "Too many hierarchies are being read; try again soon.");
                }
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                throw new Refusal(503, "busy", "The gateway is stopping.");
            }
            try {
                return Forest.load(lookups, roots);
            } finally {
                loads.release();
            }
        });
    }

    private static void needAll(Set<String> roots, Forest forest) {
        Set<String> missing = new TreeSet<>(roots);
        missing.removeIf(id -> forest.place(id) != null);
        if (!missing.isEmpty()) {
            throw new Refusal(404, "not-found", "There is no Location/" + String.join(", Location/", missing) + ".");
        }
    }

    private static Answer list(Asked asked, String base, List<Place> found) {
        List<Place> page = asked.onlyCount() ? List.of() : asked.paging().of(asked.order().of(found));
        SearchSet frame = asked.paging().frame(found.size(), asked.address());
        return new Answer(asked.onlyCount() ? "hierarchy-count" : "hierarchy-list", out -> frame.write(out,
                !page.isEmpty(), entries -> {
                for (Place place : page) {
                    SearchSet.entry(entries, base + "/Location/" + place.id(), o -> o.writeRawValue(place.text()));
                }
            }));
    }

    /** One tree for each root; where roots are not asked for by level or inventory, for the highest that are. */
    private static Answer trees(Asked asked, Forest forest, Set<String> roots, List<Place> found) {
        Set<String> kept = new HashSet<>();
        found.forEach(p -> kept.add(p.id()));
        List<Place> tops = found.stream().filter(p -> roots.contains(p.id()) || p.parent() == null
                || !kept.contains(p.parent())).toList();
        SearchSet frame = new SearchSet(tops.size(), asked.address()
                + (asked.query().isEmpty() ? "" : "?" + asked.query().encode()));
        return new Answer(asked.onlyCount() ? "hierarchy-count" : "hierarchy", out -> frame.write(out,
                !tops.isEmpty() && !asked.onlyCount(), entries -> {
            for (Place top : tops) {
                SearchSet.entry(entries, null, o -> new TreeWriter(forest, kept).write(o, top));
            }
        }));
    }
}
