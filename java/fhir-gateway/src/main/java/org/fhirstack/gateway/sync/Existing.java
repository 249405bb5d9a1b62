package org.fhirstack.gateway.sync;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Function;
import org.fhirstack.gateway.access.Outgoing;
import org.fhirstack.gateway.request.Query;

/** Looks up the resources that a request wants to change, one search a type and chunk. */
public final class Existing {
    private static final int CHUNK = 50;
    private final Function<Outgoing, JsonNode> backend;

    /** What a resource is now; of its content perhaps only {@code meta}. */
    public record Current(JsonNode resource) {

        public List<Tag> tags() {
            return Tag.of(resource);
        }

        public String version() {
            return resource.path("meta").path("versionId").asText("");
        }

        public String id() {
            return resource.path("id").asText();
        }
    }

    public Existing(Function<Outgoing, JsonNode> backend) {
        this.backend = backend;
    }

    /** One resource, null when it does not exist. */
    public Current of(String type, String id) {
        JsonNode resource = backend.apply(Outgoing.get(type + "/" + id, Query.EMPTY));
        return resource == null ? null : new Current(resource);
    }

    /**
     * Those that exist, by id.
     *
     * @param whole with all their content
     */
    public Map<String, Current> of(String type, Collection<String> ids, boolean whole) {
        Map<String, Current> found = new HashMap<>();
        List<String> all = List.copyOf(ids);
        if (all.size() <= 2) {
            all.forEach(id -> single(type, id, found));
            return found;
        }
        for (List<String> some : Lookups.chunks(all, CHUNK)) {
            chunk(type, some, whole, found);
        }
        return found;
    }

    /**
     * True when no resource of these ids carries a tag of these systems; false also when there are too many to tell.
     *
     * @param all whether each must exist
     */
    public boolean untagged(String type, Collection<String> ids, Set<String> systems, boolean all) {
        if (ids.size() > CHUNK) {
            return false;
        }
        Map<String, Current> found = new HashMap<>();
        chunk(type, List.copyOf(ids), false, found);
        return found.values().stream().allMatch(current -> Tag.unassigned(current.tags(), systems))
                && (!all || found.size() == ids.size());
    }

    private void single(String type, String id, Map<String, Current> found) {
        Current current = of(type, id);
        if (current != null) {
            found.put(id, current);
        }
    }

    private void chunk(String type, List<String> ids, boolean whole, Map<String, Current> found) {
        Query query = Query.of("_id", String.join(",", ids), "_count", String.valueOf(ids.size()));
        JsonNode page = backend.apply(Outgoing.search(type, whole ? query : query.plus("_elements", "meta")));
        for (JsonNode entry : page.path("entry")) {
            JsonNode resource = entry.path("resource");
            if (type.equals(resource.path("resourceType").asText())) {
                found.put(resource.path("id").asText(), new Current(resource));
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
            missing.forEach(id -> single(type, id, found));
        }
    }

    /** The one resource that a condition matches; null when it matches none, or several. */
    public Current matching(String type, Query condition) {
        JsonNode page = backend.apply(Outgoing.search(type, condition.plus("_count", "2").plus("_elements", "meta")));
        List<JsonNode> found = new ArrayList<>();
        for (JsonNode entry : page.path("entry")) {
            if (type.equals(entry.path("resource").path("resourceType").asText())) {
                found.add(entry.path("resource"));
            }
        }
        return found.size() == 1 ? new Current(found.get(0)) : null;
    }
}
