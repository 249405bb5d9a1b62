package org.fhirstack.gateway.sync;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Set;
import org.fhirstack.gateway.request.FhirUrl;

/**
 * A tag of a resource. Where a user has nothing of a kind, OpenSRP's app tags with "Not defined" or without a code
 * (fhircore, ConfigService.provideResourceTags): such a tag names nobody.
 *
 * @param system without the blanks around it, which HAPI drops from codes
 * @param code   as it was given; empty when absent
 */
public record Tag(String system, String code) {

    /** The tags of a resource. */
    public static List<Tag> of(JsonNode resource) {
        List<Tag> tags = new ArrayList<>();
        for (JsonNode tag : resource.path("meta").path("tag")) {
            tags.add(of(tag.path("system").asText(""), tag.path("code").asText("")));
        }
        return tags;
    }

    public static Tag of(String system, String code) {
        return new Tag(system.trim(), code.trim());
    }

    /** The id that the code names, where older apps wrote {@code CareTeam/id} too; null when it names none. */
    public String id() {
        String id = code.substring(code.replaceFirst("/_history/.*", "").lastIndexOf('/') + 1)
                .replaceFirst("/_history/.*", "");
        return FhirUrl.validId(id) ? id : null;
    }

    /** The ids that tags name in one system. */
    static List<String> ids(Iterable<Tag> tags, String system) {
        List<String> ids = new ArrayList<>();
        for (Tag tag : tags) {
            if (tag.system().equals(system) && tag.id() != null) {
                ids.add(tag.id());
            }
        }
        return ids;
    }

    /** True when none of the tags is of one of these systems. */
    static boolean unassigned(Collection<Tag> tags, Set<String> systems) {
        return tags.stream().noneMatch(tag -> systems.contains(tag.system()));
    }

    @Override
    public String toString() {
        return system + "|" + code;
    }
}
