package org.fhirstack.gateway.sync;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Base64;
import java.util.Collection;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import org.fhirstack.gateway.Json;
import org.fhirstack.gateway.Refusal;
import org.fhirstack.gateway.request.Query;

/**
 * Reads from the FHIR store what a user is assigned to:
 * Composition (application) → Binary (sync strategy) → Practitioner → care teams → organizations → locations.
 */
public final class Assignments {
    private static final int CHUNK = 40;
    private static final int MOST = 20_000;
    private final Lookups lookups;

    public Assignments(Lookups lookups) {
        this.lookups = lookups;
    }

    /** The sync strategy of an application. */
    public TagSystems.Strategy strategy(String appId) {
        JsonNode composition = null;
        for (JsonNode found : lookups.search("Composition", Query.of("identifier",
                Lookups.token(appId)))) {
            if (appId.equals(found.path("identifier").path("value").asText())) {
                composition = found;
            }
        }
        if (composition == null) {
            throw missing("There is no Composition with identifier " + appId + " (the token's fhir_core_app_id).");
        }
        String reference = applicationBinary(composition.path("section"));
        if (reference == null) {
            throw missing("The Composition " + appId + " has no section with focus.identifier.value \"application\""
                    + " and a focus.reference to a Binary.");
        }
        JsonNode binary = lookups.read("Binary", reference);
        if (binary == null) {
            throw missing("The Binary of the application configuration of " + appId + " does not exist.");
        }
        try {
            JsonNode config = Json.parse(Base64.getMimeDecoder().decode(binary.path("data").asText()));
            JsonNode value = config.path("syncStrategy");
            TagSystems.Strategy s = TagSystems.Strategy.named((value.isArray() ? value.path(0) : value).asText());
            if (s == null) {
                throw missing("The application configuration of " + appId + " has no syncStrategy that is CareTeam,"
                        + " Organization, Location or RelatedEntityLocation.");
            }
            return s;
        } catch (IOException | IllegalArgumentException e) {
            throw missing("The Binary of the application configuration of " + appId + " is not base64 of JSON.");
        }
    }

    private static String applicationBinary(JsonNode sections) {
        for (JsonNode section : sections) {
            if (section.path("focus").path("identifier").path("value").asText().equals("application")) {
                String id = Lookups.id(section.path("focus"), "Binary");
                if (id != null) {
                    return id;
                }
            }
            String nested = applicationBinary(section.path("section"));
            if (nested != null) {
                return nested;
            }
        }
        return null;
    }

    /** The ids that a user is assigned to under a strategy; never empty. */
    public Set<String> ids(String sub, TagSystems.Strategy strategy) {
        JsonNode found = practitioner(sub);
        if (found == null) {
            throw missing("There is no Practitioner with identifier " + sub + " (the token's sub).");
        }
        String practitioner = found.path("id").asText();
        List<JsonNode> teams = teams(practitioner);
        if (strategy == TagSystems.Strategy.CARE_TEAM) {
            Set<String> ids = new LinkedHashSet<>();
            teams.forEach(t -> ids.add(t.path("id").asText()));
            return needed(ids, "No CareTeam has Practitioner/" + practitioner + " as a participant.");
        }
        Set<String> organizations = needed(organizations(practitioner, teams), "No PractitionerRole or CareTeam links"
                + " Practitioner/" + practitioner + " to an Organization.");
        return strategy == TagSystems.Strategy.ORGANIZATION ? organizations
                : needed(withDescendants(locations(organizations)), "No OrganizationAffiliation links the"
                + " organizations of Practitioner/" + practitioner + " to a Location.");
    }

    /** The ids that a user is assigned to under each strategy by care team, organization and location; may be empty. */
    public Map<TagSystems.Strategy, Set<String>> all(String sub) {
        JsonNode found = practitioner(sub);
        String practitioner = found == null ? "" : found.path("id").asText();
        List<JsonNode> teams = found == null ? List.of() : teams(practitioner);
        Set<String> teamIds = new LinkedHashSet<>();
        teams.forEach(t -> teamIds.add(t.path("id").asText()));
        Set<String> organizations = found == null ? Set.of() : organizations(practitioner, teams);
        return Map.of(TagSystems.Strategy.CARE_TEAM, teamIds, TagSystems.Strategy.ORGANIZATION, organizations,
                TagSystems.Strategy.LOCATION, withDescendants(locations(organizations)));
    }

    /** The locations of a practitioner's organizations, without those below; empty when there are none. */
    public Set<String> locationsOf(String practitioner) {
        return locations(organizations(practitioner, teams(practitioner)));
    }

    private List<JsonNode> teams(String practitioner) {
        return lookups.search("CareTeam", Query.of("participant", "Practitioner/" + practitioner));
    }

    private Set<String> organizations(String practitioner, List<JsonNode> teams) {
        Set<String> organizations = new LinkedHashSet<>();
        for (JsonNode role : lookups.search("PractitionerRole", Query.of("practitioner", "Practitioner/"
                + practitioner))) {
            Lookups.add(organizations, role.path("organization"), "Organization");
        }
        teams.forEach(t -> t.path("managingOrganization").forEach(o -> Lookups.add(organizations, o, "Organization")));
        return organizations;
    }

    /** The locations that organizations are affiliated with. */
    public Set<String> locations(Set<String> organizations) {
        Set<String> locations = new LinkedHashSet<>();
        lookups.eachOf("OrganizationAffiliation", "primary-organization", Lookups.references("Organization",
                organizations), CHUNK, Query.EMPTY, affiliation -> affiliation.path("location")
                .forEach(l -> Lookups.add(locations, l, "Location")));
        return locations;
    }

    /** Locations and everything below them through {@code partOf}. */
    public Set<String> withDescendants(Collection<String> roots) {
        Set<String> all = new LinkedHashSet<>(roots);
        Collection<String> level = List.copyOf(all);
        while (!level.isEmpty()) {
            List<String> next = new ArrayList<>();
            lookups.eachOf("Location", "partof", Lookups.references("Location", level), CHUNK,
                    Query.of("_elements", "id,meta"), child -> {
                    String id = child.path("id").asText();
                    if (all.add(id)) {
                        next.add(id);
                    }
                });
            if (all.size() > MOST) {
                throw missing("More than " + MOST + " locations lie below the assigned ones.");
            }
            level = next;
        }
        return all;
    }

    /** The Practitioner of a user, null when there is none. Of several the one counts that is active. */
    public JsonNode practitioner(String sub) {
        Map<String, JsonNode> all = new TreeMap<>();
        for (JsonNode found : lookups.search("Practitioner", Query.of("identifier", Lookups.token(sub)))) {
            for (JsonNode identifier : found.path("identifier")) {
                if (sub.equals(identifier.path("value").asText())) {
                    all.put(found.path("id").asText(), found);
                }
            }
        }
        Map<String, JsonNode> active = new TreeMap<>(all);
        active.values().removeIf(p -> !p.path("active").asBoolean(true));
        Map<String, JsonNode> counting = active.isEmpty() ? all : active;
        if (counting.size() > 1) {
            throw missing("More than one " + (active.isEmpty() ? "" : "active ") + "Practitioner has the identifier "
                    + sub + " (the token's sub): " + String.join(", ", Lookups.references("Practitioner",
                    counting.keySet())) + ". Set active to false in all but one.");
        }
        return counting.isEmpty() ? null : counting.values().iterator().next();
    }

    private static Set<String> needed(Set<String> ids, String otherwise) {
        if (ids.isEmpty()) {
            throw missing(otherwise);
        }
        return ids;
    }

    private static Refusal missing(String text) {
        return Refusal.denied("no-assignment", text);
    }
}
