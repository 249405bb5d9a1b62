package org.fhirstack.gateway.sync;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import org.fhirstack.gateway.access.Outgoing;
import org.fhirstack.gateway.request.Query;

/** Looks up the tags of resources that a request wants to change, one search a type and chunk. */
public final class ExistingTags {
    private static final int CHUNK = 50;
    private final Function<Outgoing, JsonNode> backend;

    public ExistingTags(Function<Outgoing, JsonNode> backend) {
        this.backend = backend;
    }

    /** The codes of one resource, null when it does not exist. */
    public List<String> of(String type, String id, String system) {
        JsonNode resource = backend.apply(Outgoing.get(type + "/" + id, Query.EMPTY));
        return resource == null ? null : ResourceTags.codes(resource, system);
    }

    /** The codes of those resources that exist, by id. */
    public Map<String, List<String>> of(String type, Collection<String> ids, String system) {
        Map<String, List<String>> found = new HashMap<>();
        List<String> all = List.copyOf(ids);
        if (all.size() <= 2) {
            all.forEach(id -> single(type, id, system, found));
            return found;
        }
        for (int from = 0; from < all.size(); from += CHUNK) {
            chunk(type, all.subList(from, Math.min(all.size(), from + CHUNK)), system, found);
        }
        return found;
    }

    /**
     * True when no resource of these ids carries a tag of these systems; false also when there are too many to tell.
     *
     * @param all whether each must exist
     */
    public boolean untagged(String type, Collection<String> ids, Collection<String> systems, boolean all) {
        if (ids.size() > CHUNK) {
            return false;
        }
        JsonNode page = backend.apply(Outgoing.search(type, Query.of("_id", String.join(",", ids), "_count",
                String.valueOf(CHUNK), "_elements", "meta")));
        if (page == null) {
            return false;
        }
        for (JsonNode link : page.path("link")) {
            if ("next".equals(link.path("relation").asText())) {
                return false;
            }
        }
        int found = 0;
        for (JsonNode entry : page.path("entry")) {
            JsonNode resource = entry.path("resource");
            if (!type.equals(resource.path("resourceType").asText())) {
                continue;
            }
            found++;
            if (systems.stream().anyMatch(s -> !ResourceTags.codes(resource, s).isEmpty())) {
                return false;
            }
        }
        return !all || found == ids.size();
    }

    private void single(String type, String id, String system, Map<String, List<String>> found) {
        List<String> codes = of(type, id, system);
        if (codes != null) {
            found.put(id, codes);
        }
    }

    private void chunk(String type, List<String> ids, String system, Map<String, List<String>> found) {
        JsonNode page = backend.apply(Outgoing.search(type, Query.of("_id", String.join(",", ids), "_count",
                String.valueOf(ids.size()), "_elements", "meta")));
        for (JsonNode entry : page.path("entry")) {
            JsonNode resource = entry.path("resource");
            if (type.equals(resource.path("resourceType").asText())) {
                found.put(resource.path("id").asText(), ResourceTags.codes(resource, system));
            }
        }
        boolean more = false;
        for (JsonNode link : page.path("link")) {
            more |= "next".equals(link.path("relation").asText());
        }
        if (more) {
            // The backend gave a shorter page than asked for: what is not on it may still exist.
            List<String> missing = new ArrayList<>(ids);
            missing.removeAll(found.keySet());
            missing.forEach(id -> single(type, id, system, found));
        }
    }
}
