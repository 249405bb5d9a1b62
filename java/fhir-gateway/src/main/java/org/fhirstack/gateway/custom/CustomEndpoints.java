package org.fhirstack.gateway.custom;

import com.github.benmanes.caffeine.cache.Cache;
import java.time.Duration;
import java.util.HashMap;
import java.util.Locale;
import java.util.Map;
import org.fhirstack.gateway.Refusal;
import org.fhirstack.gateway.access.PermissionAccessChecker;
import org.fhirstack.gateway.request.FhirUrl;
import org.fhirstack.gateway.request.GatewayRequest;
import org.fhirstack.gateway.sync.Assignments;
import org.fhirstack.gateway.sync.Changes;
import org.fhirstack.gateway.sync.Lookups;
import org.fhirstack.gateway.sync.TagSystems;
import org.fhirstack.gateway.token.User;

/** OpenSRP's endpoints that are no resources of the backend, and its modes of others. */
public final class CustomEndpoints {
    private final PractitionerDetail details;
    private final LocationHierarchy hierarchy;
    private final ListEntries listEntries;

    /**
     * @param systems tag systems of the sync strategies
     * @param kept    how long answers are remembered
     */
    public CustomEndpoints(Lookups lookups, Assignments assignments, TagSystems systems, Changes changes,
            Duration kept) {
        details = new PractitionerDetail(lookups, assignments, systems.all(), changes, kept);
        hierarchy = new LocationHierarchy(lookups, assignments, changes, kept);
        listEntries = new ListEntries(lookups);
    }

    /** The caches by name, for metrics. */
    public Map<String, Cache<?, ?>> caches() {
        Map<String, Cache<?, ?>> caches = new HashMap<>(details.caches());
        caches.putAll(hierarchy.caches());
        return caches;
    }

    /** True for what is answered here. */
    public static boolean answers(GatewayRequest request) {
        return request.url().custom() || ListEntries.asked(request);
    }

    /**
     * Judges and answers a request.
     *
     * @param user null without a token, which is refused
     * @param base of all links
     */
    public Answer answer(GatewayRequest request, User user, PermissionAccessChecker.Services services, String base) {
        if (user == null) {
            throw Refusal.token("no-token", "This needs a bearer token.");
        }
        if (!request.url().custom()) {
            return listEntries.answer(request, user, services, base);
        }
        boolean byForm = request.method().equals("POST") && request.url().kind() == FhirUrl.Kind.CUSTOM_SEARCH;
        if (!request.method().equals("GET") && !byForm) {
            throw new Refusal(405, "method", "This can only be read, by GET, or by POST to _search.");
        }
        String control = request.header("Cache-Control");
        boolean fresh = control != null && control.toLowerCase(Locale.ROOT).contains("no-cache");
        return request.url().type().equals(FhirUrl.PRACTITIONER_DETAIL) ? details.answer(request, user, base, fresh)
                : hierarchy.answer(request, user, base, fresh);
    }
}
