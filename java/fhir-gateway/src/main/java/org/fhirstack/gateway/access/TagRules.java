package org.fhirstack.gateway.access;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.function.Predicate;
import org.fhirstack.gateway.Json;
import org.fhirstack.gateway.Refusal;
import org.fhirstack.gateway.sync.Existing.Current;
import org.fhirstack.gateway.sync.SyncFilter;
import org.fhirstack.gateway.sync.Tag;

/** The tags of a resource that is written. */
final class TagRules {
    /** HAPI marks with it what it gave only in part. */
    private static final String SUBSETTED = "SUBSETTED";

    private TagRules() {
    }

    /** True when a body names an id in one of these systems. */
    static boolean anyOf(JsonNode resource, Set<String> systems) {
        return Tag.of(resource).stream().anyMatch(tag -> tag.id() != null && systems.contains(tag.system()));
    }

    /**
     * Writes tags of these systems as searches ask for them: the bare id, and each once. A code without a system is
     * refused: HAPI stores in its place whatever tag it knows with that code, which may be another team's.
     */
    static void tidy(JsonNode resource, Set<String> systems) {
        if (!(resource.path("meta").path("tag") instanceof ArrayNode tags)) {
            return;
        }
        Set<Tag> seen = new HashSet<>();
        ArrayNode kept = Json.array();
        for (JsonNode node : tags) {
            Tag tag = Tag.of(node.path("system").asText(""), node.path("code").asText(""));
            if (tag.system().isEmpty() && !tag.code().isEmpty()) {
                throw Refusal.malformed("meta.tag[" + kept.size() + "] has a code and no system.");
            }
            if (node instanceof ObjectNode coding && systems.contains(tag.system())) {
                coding.put("system", tag.system());
                if (tag.id() != null) {
                    coding.put("code", tag.id());
                    tag = Tag.of(tag.system(), tag.id());
                }
            }
            if (seen.add(tag)) {
                kept.add(node);
            }
        }
        tags.removeAll().addAll(kept);
    }

    /**
     * The tags that stay beside those of a body: all but those of a system of which the body names an id.
     *
     * @param removable which tags the writer may take away
     */
    static List<JsonNode> staying(Current current, JsonNode body, Set<String> systems, Predicate<Tag> removable) {
        Set<Tag> given = new HashSet<>(Tag.of(body));
        Set<String> replaced = new HashSet<>();
        given.stream().filter(tag -> tag.id() != null && systems.contains(tag.system()))
                .forEach(tag -> replaced.add(tag.system()));
        List<JsonNode> staying = new ArrayList<>();
        for (JsonNode node : current.resource().path("meta").path("tag")) {
            Tag tag = Tag.of(node.path("system").asText(""), node.path("code").asText(""));
            boolean goes = replaced.contains(tag.system()) && (tag.id() == null || removable.test(tag));
            if (!goes && !given.contains(tag) && !tag.code().equals(SUBSETTED)) {
                staying.add(node);
            }
        }
        return staying;
    }

    static void keep(JsonNode resource, List<JsonNode> staying) {
        if (!staying.isEmpty() && resource instanceof ObjectNode object) {
            object.withObject("/meta").withArray("/tag").addAll(staying);
        }
    }

    /** What a patch changes in {@code meta} may only be tags, and only the user's own. */
    static void needOwnChanges(Current before, JsonNode after, SyncFilter filter, Set<String> systems) {
        if (!withoutTags(before.resource()).equals(withoutTags(after))) {
            throw Refusal.denied("patch", "it may change nothing of meta but tags.");
        }
        List<Tag> old = before.tags();
        List<Tag> now = Tag.of(after);
        if (new HashSet<>(old).equals(new HashSet<>(now))) {
            return;
        }
        List<Tag> added = now.stream().filter(tag -> !old.contains(tag)).toList();
        List<Tag> gone = old.stream().filter(tag -> !now.contains(tag)).toList();
        for (Tag tag : added) {
            if (tag.id() != null && tag.system().equals(filter.system()) && !filter.own(tag)) {
                throw Refusal.denied("foreign-tag", "its meta.tag " + tag + " names what you are not assigned to.");
            }
        }
        if (gone.stream().anyMatch(tag -> tag.id() != null && systems.contains(tag.system()) && !filter.own(tag))) {
            throw Refusal.denied("foreign-tag", "it takes away a meta.tag that names what you are not assigned to.");
        }
        if (!filter.inside(now)) {
            throw Refusal.denied("untagged", "it leaves no meta.tag with an id that you are assigned to.");
        }
    }

    private static JsonNode withoutTags(JsonNode resource) {
        return resource.path("meta") instanceof ObjectNode meta ? meta.deepCopy().without("tag") : Json.object();
    }
}
