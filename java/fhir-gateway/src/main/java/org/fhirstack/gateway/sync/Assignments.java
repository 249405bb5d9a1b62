package org.fhirstack.gateway.sync;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Base64;
import java.util.Collection;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.function.Function;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.fhirstack.gateway.Json;
import org.fhirstack.gateway.Refusal;
import org.fhirstack.gateway.access.Outgoing;
import org.fhirstack.gateway.request.Query;

/**
 * Reads from the FHIR store what a user is assigned to:
 * Composition (application) → Binary (sync strategy) → Practitioner → care teams → organizations → locations.
 */
public final class Assignments {
    private static final int CHUNK = 40;
    private static final int MOST = 20_000;
    private static final Pattern REFERENCE = Pattern.compile(
            "(?:^|.*/)([A-Z][A-Za-z]+)/([A-Za-z0-9.-]{1,64})(?:/_history/.*)?");
    private final Function<Outgoing, JsonNode> backend;

    public Assignments(Function<Outgoing, JsonNode> backend) {
        this.backend = backend;
    }

    /** The sync strategy of an application. */
    public TagSystems.Strategy strategy(String appId) {
        JsonNode composition = null;
        for (JsonNode found : search("Composition", Query.of("identifier", token(appId)))) {
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
        JsonNode binary = backend.apply(Outgoing.get("Binary/" + reference, Query.EMPTY));
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
                String id = id(section.path("focus").path("reference").asText(), "Binary");
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
        String practitioner = practitioner(sub);
        List<JsonNode> teams = search("CareTeam", Query.of("participant", "Practitioner/" + practitioner));
        if (strategy == TagSystems.Strategy.CARE_TEAM) {
            Set<String> ids = new LinkedHashSet<>();
            teams.forEach(t -> ids.add(t.path("id").asText()));
            return needed(ids, "No CareTeam has Practitioner/" + practitioner + " as a participant.");
        }
        Set<String> organizations = new LinkedHashSet<>();
        for (JsonNode role : search("PractitionerRole", Query.of("practitioner", "Practitioner/" + practitioner))) {
            add(organizations, role.path("organization"), "Organization");
        }
        teams.forEach(t -> t.path("managingOrganization").forEach(o -> add(organizations, o, "Organization")));
        needed(organizations, "No PractitionerRole or CareTeam links Practitioner/" + practitioner
                + " to an Organization.");
        if (strategy == TagSystems.Strategy.ORGANIZATION) {
            return organizations;
        }
        Set<String> locations = new LinkedHashSet<>();
        for (List<String> chunk : chunks(organizations)) {
            for (JsonNode affiliation : search("OrganizationAffiliation", Query.of("primary-organization",
                    references("Organization", chunk)))) {
                affiliation.path("location").forEach(l -> add(locations, l, "Location"));
            }
        }
        return needed(withDescendants(locations), "No OrganizationAffiliation links the organizations of Practitioner/"
                + practitioner + " to a Location.");
    }

    /** Locations and everything below them through {@code partOf}. */
    public Set<String> withDescendants(Collection<String> roots) {
        Set<String> all = new LinkedHashSet<>(roots);
        Collection<String> level = List.copyOf(all);
        while (!level.isEmpty()) {
            List<String> next = new ArrayList<>();
            for (List<String> chunk : chunks(level)) {
                for (JsonNode child : search("Location", Query.of("partof", references("Location", chunk),
                        "_elements", "id,meta"))) {
                    String id = child.path("id").asText();
                    if (all.add(id)) {
                        next.add(id);
                    }
                }
            }
            if (all.size() > MOST) {
                throw missing("More than " + MOST + " locations lie below the assigned ones.");
            }
            level = next;
        }
        return all;
    }

    private String practitioner(String sub) {
        Set<String> ids = new LinkedHashSet<>();
        for (JsonNode found : search("Practitioner", Query.of("identifier", token(sub)))) {
            for (JsonNode identifier : found.path("identifier")) {
                if (sub.equals(identifier.path("value").asText())) {
                    ids.add(found.path("id").asText());
                }
            }
        }
        if (ids.size() > 1) {
            throw missing("More than one Practitioner has the identifier " + sub + " (the token's sub).");
        }
        return needed(ids, "There is no Practitioner with identifier " + sub + " (the token's sub).").iterator().next();
    }

    /** All pages of a search. */
    private List<JsonNode> search(String type, Query query) {
        List<JsonNode> found = new ArrayList<>();
        Outgoing next = Outgoing.search(type, query.plus("_count", "200"));
        while (next != null && found.size() <= MOST) {
            JsonNode page = backend.apply(next);
            next = null;
            if (page == null) {
                break;
            }
            for (JsonNode entry : page.path("entry")) {
                if (type.equals(entry.path("resource").path("resourceType").asText())) {
                    found.add(entry.path("resource"));
                }
            }
            for (JsonNode link : page.path("link")) {
                String url = link.path("url").asText();
                if (link.path("relation").asText().equals("next") && url.contains("?")) {
                    Query params = Query.parse(url.substring(url.indexOf('?') + 1));
                    next = Outgoing.get(params.has("_getpages") ? "" : type, params);
                }
            }
        }
        return found;
    }

    private static List<List<String>> chunks(Collection<String> ids) {
        List<String> all = List.copyOf(ids);
        List<List<String>> chunks = new ArrayList<>();
        for (int from = 0; from < all.size(); from += CHUNK) {
            chunks.add(all.subList(from, Math.min(all.size(), from + CHUNK)));
        }
        return chunks;
    }

    private static String references(String type, List<String> ids) {
        return String.join(",", ids.stream().map(id -> type + "/" + id).toList());
    }

    private static void add(Set<String> ids, JsonNode reference, String type) {
        String id = id(reference.path("reference").asText(), type);
        if (id != null) {
            ids.add(id);
        }
    }

    private static String id(String reference, String type) {
        Matcher m = REFERENCE.matcher(reference);
        return m.matches() && m.group(1).equals(type) ? m.group(2) : null;
    }

    private static Set<String> needed(Set<String> ids, String otherwise) {
        if (ids.isEmpty()) {
            throw missing(otherwise);
        }
        return ids;
    }

    /** A token value with FHIR's separators escaped. */
    private static String token(String value) {
        return value.replaceAll("([\\\\,|$])", "\\\\$1");
    }

    private static Refusal missing(String text) {
        return Refusal.denied("no-assignment", text);
    }
}
