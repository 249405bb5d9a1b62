package org.fhirstack.gateway.custom;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Predicate;
import org.fhirstack.gateway.Json;
import org.fhirstack.gateway.request.Query;
import org.fhirstack.gateway.sync.Lookups;
import org.fhirstack.gateway.sync.Tag;

/**
 * What practitioners are assigned to, as OpenSRP's resource practitioner-details: the member {@code fhir} holds lists
 * of resources (FHIR Web reads them), {@code contained} holds all of them again (newer apps read those). Many
 * practitioners cost few more requests than one.
 */
final class Details {
    private static final int CHUNK = 40;
    /** "Assigned practitioner" of SNOMED CT: the code of the Group that FHIR Web makes for each user. */
    private static final String ASSIGNED = "http://snomed.info/sct|405623001";

    private final Map<String, JsonNode> practitioners = new LinkedHashMap<>();
    private final Map<String, JsonNode> teams = new LinkedHashMap<>();
    private final Map<String, JsonNode> roles = new LinkedHashMap<>();
    private final Map<String, JsonNode> groups = new LinkedHashMap<>();
    private final Map<String, JsonNode> organizations = new LinkedHashMap<>();
    private final Map<String, JsonNode> affiliations = new LinkedHashMap<>();
    private final Map<String, JsonNode> locations = new LinkedHashMap<>();

    private Details() {
    }

    /**
     * Reads what belongs to these practitioners.
     *
     * @param tagSystems of all sync strategies
     */
    static Details load(Lookups lookups, List<JsonNode> practitioners, Set<String> tagSystems) {
        Details d = new Details();
        practitioners.forEach(p -> d.practitioners.put(p.path("id").asText(), p));
        List<String> references = Lookups.references("Practitioner", d.practitioners.keySet());
        fill(lookups, d.teams, "CareTeam", "participant", references, Query.EMPTY);
        fill(lookups, d.roles, "PractitionerRole", "practitioner", references, Query.EMPTY);
        fill(lookups, d.groups, "Group", "member", references, Query.of("code", ASSIGNED));
        // What a phone wrote has a tag of a sync strategy; only who administers may assign.
        d.groups.values().removeIf(group -> Tag.of(group).stream().anyMatch(t -> tagSystems.contains(t.system())));
        Set<String> organizations = new LinkedHashSet<>();
        d.practitioners.keySet().forEach(id -> organizations.addAll(d.organizationsOf(id)));
        fill(lookups, d.organizations, "Organization", "_id", organizations, Query.EMPTY);
        fill(lookups, d.affiliations, "OrganizationAffiliation", "primary-organization",
                Lookups.references("Organization", organizations), Query.EMPTY);
        Set<String> locations = new LinkedHashSet<>();
        d.affiliations.values().forEach(a -> locations.addAll(locationsOf(a)));
        fill(lookups, d.locations, "Location", "_id", locations, Query.EMPTY);
        return d;
    }

    private static void fill(Lookups lookups, Map<String, JsonNode> found, String type, String parameter,
            Collection<String> values, Query more) {
        lookups.eachOf(type, parameter, List.copyOf(values), CHUNK, more, r -> found.put(r.path("id").asText(), r));
    }

    private static boolean isMember(JsonNode members, String field, String practitioner) {
        for (JsonNode member : members) {
            if (practitioner.equals(Lookups.id(member.path(field), "Practitioner"))) {
                return true;
            }
        }
        return false;
    }

    private boolean inTeam(JsonNode team, String practitioner) {
        return isMember(team.path("participant"), "member", practitioner);
    }

    private static boolean has(JsonNode role, String practitioner) {
        return practitioner.equals(Lookups.id(role.path("practitioner"), "Practitioner"));
    }

    private Set<String> organizationsOf(String practitioner) {
        Set<String> ids = new LinkedHashSet<>();
        pick(teams, t -> inTeam(t, practitioner)).forEach(t -> t.path("managingOrganization")
                .forEach(o -> Lookups.add(ids, o, "Organization")));
        pick(roles, r -> has(r, practitioner)).forEach(r -> Lookups.add(ids, r.path("organization"), "Organization"));
        return ids;
    }

    private static Set<String> locationsOf(JsonNode affiliation) {
        Set<String> ids = new LinkedHashSet<>();
        affiliation.path("location").forEach(l -> Lookups.add(ids, l, "Location"));
        return ids;
    }

    private static List<JsonNode> pick(Map<String, JsonNode> all, Predicate<JsonNode> which) {
        return all.values().stream().filter(which).toList();
    }

    /** The resource of one of the practitioners. */
    ObjectNode of(String practitioner) {
        Set<String> ownOrganizations = organizationsOf(practitioner);
        List<JsonNode> ownAffiliations = pick(affiliations, a -> ownOrganizations.contains(
                String.valueOf(Lookups.id(a.path("organization"), "Organization"))));
        Set<String> ownLocations = new LinkedHashSet<>();
        ownAffiliations.forEach(a -> ownLocations.addAll(locationsOf(a)));
        ObjectNode fhir = Json.object().put("id", practitioner);
        List<JsonNode> contained = new ArrayList<>();
        list(fhir, contained, "careteams", pick(teams, t -> inTeam(t, practitioner)));
        list(fhir, contained, "teams", pick(organizations, o -> ownOrganizations.contains(o.path("id").asText())));
        list(fhir, contained, "locations", pick(locations, l -> ownLocations.contains(l.path("id").asText())));
        list(fhir, contained, "practitionerRoles", pick(roles, r -> has(r, practitioner)));
        list(fhir, contained, "groups", pick(groups, g -> isMember(g.path("member"), "entity", practitioner)));
        list(fhir, contained, "practitioner", List.of(practitioners.get(practitioner)));
        list(fhir, contained, "organizationAffiliation", ownAffiliations);
        ObjectNode resource = Json.object().put("resourceType", "practitioner-details").put("id", practitioner);
        resource.putObject("meta").putArray("profile").add("http://hl7.org/fhir/profiles/custom-resource");
        resource.putArray("contained").addAll(contained);
        resource.set("fhir", fhir);
        return resource;
    }

    private static void list(ObjectNode fhir, List<JsonNode> contained, String name, List<JsonNode> resources) {
        if (!resources.isEmpty()) {
            ArrayNode list = fhir.putArray(name);
            list.addAll(resources);
            contained.addAll(resources);
        }
    }
}
