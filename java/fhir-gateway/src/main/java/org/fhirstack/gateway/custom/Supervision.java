package org.fhirstack.gateway.custom;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import org.fhirstack.gateway.Refusal;
import org.fhirstack.gateway.request.Query;
import org.fhirstack.gateway.sync.Assignments;
import org.fhirstack.gateway.sync.Lookups;

/**
 * Which practitioners are attributed to a supervisor: those of the own care teams, and those of the care teams in which
 * an organization takes part that is affiliated with a location of the own teams' organizations or below.
 */
final class Supervision {
    private static final int CHUNK = 40;
    private static final int MOST = 1_000;

    private Supervision() {
    }

    /** Ids of practitioners, the supervisor's own left out. */
    static Set<String> of(Lookups lookups, Assignments assignments, String supervisor) {
        List<JsonNode> teams = new ArrayList<>(lookups.search("CareTeam", Query.of("participant", "Practitioner/"
                + supervisor)));
        Set<String> own = new LinkedHashSet<>();
        teams.forEach(t -> t.path("managingOrganization").forEach(o -> Lookups.add(own, o, "Organization")));
        Set<String> locations = assignments.withDescendants(assignments.locations(own));
        Set<String> organizations = new LinkedHashSet<>();
        lookups.eachOf("OrganizationAffiliation", "location", Lookups.references("Location", locations), CHUNK,
                Query.EMPTY, a -> Lookups.add(organizations, a.path("organization"), "Organization"));
        lookups.eachOf("CareTeam", "participant", Lookups.references("Organization", organizations), CHUNK,
                Query.EMPTY, teams::add);
        Set<String> practitioners = new TreeSet<>();
        teams.forEach(t -> t.path("participant").forEach(p -> Lookups.add(practitioners, p.path("member"),
                "Practitioner")));
        practitioners.remove(supervisor);
        if (practitioners.size() > MOST) {
            throw new Refusal(413, "too-long", "More than " + MOST + " practitioners are attributed to you.");
        }
        return practitioners;
    }
}
