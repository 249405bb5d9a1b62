package org.fhirstack.gateway.custom;

import com.fasterxml.jackson.databind.JsonNode;
import com.github.benmanes.caffeine.cache.Cache;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.fhirstack.gateway.Json;
import org.fhirstack.gateway.Refusal;
import org.fhirstack.gateway.request.FhirUrl;
import org.fhirstack.gateway.request.GatewayRequest;
import org.fhirstack.gateway.request.Query;
import org.fhirstack.gateway.sync.Assignments;
import org.fhirstack.gateway.sync.Changes;
import org.fhirstack.gateway.sync.Lookups;
import org.fhirstack.gateway.sync.Remembered;
import org.fhirstack.gateway.sync.TagSystems;
import org.fhirstack.gateway.token.User;

/** The endpoint PractitionerDetail: what a user is assigned to. */
final class PractitionerDetail {
    private static final String UUID = "keycloak-uuid";
    private static final int LONGEST_UUID = 255;
    private static final int MOST_BYTES = 8 << 20;
    private static final int MOST_SUPERVISORS = 500;
    private static final int CHUNK = 40;

    /** Whose details; {@code application} is set when those attributed to the user come with them. */
    private record Key(String uuid, String application) {
    }

    private final Lookups lookups;
    private final Assignments assignments;
    private final Set<String> tagSystems;
    private final Remembered<Key, List<byte[]>> details;
    private final Remembered<String, Set<String>> attributed;

    PractitionerDetail(Lookups lookups, Assignments assignments, Set<String> tagSystems, Changes changes,
            Duration kept) {
        this.lookups = lookups;
        this.assignments = assignments;
        this.tagSystems = tagSystems;
        this.details = new Remembered<>(changes, Changes.Topic.DETAILS, kept, MOST_BYTES,
                list -> list.stream().mapToInt(bytes -> bytes.length + 100).sum() + 100);
        this.attributed = new Remembered<>(changes, Changes.Topic.DETAILS, kept, MOST_SUPERVISORS, ids -> 1);
    }

    Map<String, Cache<?, ?>> caches() {
        return Map.of("practitioner-details", details.cache(), "attributed-practitioners", attributed.cache());
    }

    Answer answer(GatewayRequest request, User user, String base, boolean fresh) {
        user.need("GET", FhirUrl.PRACTITIONER_DETAIL);
        Parameters parameters = Parameters.of(request, Set.of(UUID));
        String uuid = parameters.text(UUID);
        if (uuid == null || uuid.length() > LONGEST_UUID) {
            throw Refusal.malformed("The parameter " + UUID + " is missing or too long.");
        }
        boolean own = uuid.equals(user.sub());
        if (user.android() && !own) {
            needAttributed(user, uuid, fresh);
        }
        boolean supervises = own && user.android() && user.has(User.SUPERVISOR);
        List<byte[]> found = details.get(new Key(uuid, supervises ? user.appId() : ""), fresh,
                () -> read(uuid, supervises ? user.appId() : null));
        SearchSet frame = new SearchSet(found.size(), base + "/" + FhirUrl.PRACTITIONER_DETAIL + "?"
                + Query.of(UUID, uuid).encode());
        return new Answer(own ? "details-own" : "details", out -> frame.write(out, true, entries -> {
            for (byte[] one : found) {
                SearchSet.entry(entries, null, o -> o.writeRawValue(new String(one, StandardCharsets.UTF_8)));
            }
        }));
    }

    /** Does not tell whether there is such a user: all but supervisors are refused before anything is read. */
    private void needAttributed(User user, String uuid, boolean fresh) {
        if (user.has(User.SUPERVISOR)) {
            JsonNode supervisor = assignments.practitioner(user.sub());
            JsonNode other = assignments.practitioner(uuid);
            if (supervisor != null && other != null && attributed.get(user.sub(), fresh, () -> Supervision.of(lookups,
                    assignments, supervisor.path("id").asText())).contains(other.path("id").asText())) {
                return;
            }
        }
        throw Refusal.denied("outside", "You may read your own details only, and those of practitioners who are"
                + " attributed to you as a supervisor.");
    }

    /** The details asked for; after them those of attributed practitioners, when the application syncs by location. */
    private List<byte[]> read(String uuid, String supervisedIn) {
        JsonNode practitioner = assignments.practitioner(uuid);
        if (practitioner == null) {
            throw new Refusal(404, "not-found", "There is no Practitioner with this identifier.");
        }
        List<JsonNode> all = new ArrayList<>(List.of(practitioner));
        if (supervisedIn != null && assignments.strategy(supervisedIn) == TagSystems.Strategy.LOCATION) {
            lookups.eachOf("Practitioner", "_id", List.copyOf(Supervision.of(lookups, assignments,
                    practitioner.path("id").asText())), CHUNK, Query.EMPTY, all::add);
        }
        Details loaded = Details.load(lookups, all, tagSystems);
        return all.stream().map(p -> Json.write(loaded.of(p.path("id").asText()))).toList();
    }
}
