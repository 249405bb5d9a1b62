package org.fhirstack.gateway.sync;

import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Base64;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.fhirstack.gateway.Refusal;

/**
 * Which resources an Android user may touch: those with a tag of this system and one of these ids.
 *
 * @param any       true when every id of the system will do (related-entity locations of a user who may choose any)
 * @param otherwise ids of other systems, by which a resource is judged that names none of this system: the app tags
 *                  what belongs to no related entity (reports, audit events) with its user's teams and locations only
 */
public record SyncFilter(String system, Set<String> ids, boolean any, Map<String, Set<String>> otherwise) {

    /** True when a resource with these tags is the user's. */
    public boolean inside(Collection<Tag> tags) {
        List<String> named = Tag.ids(tags, system);
        return named.isEmpty() ? tags.stream().anyMatch(this::ownOtherwise)
                : any || named.stream().anyMatch(ids::contains);
    }

    private boolean ownOtherwise(Tag tag) {
        return otherwise.getOrDefault(tag.system(), Set.of()).contains(String.valueOf(tag.id()));
    }

    /** True when a tag stands for an assignment of the user. */
    public boolean own(Tag tag) {
        return tag.system().equals(system) && tag.id() != null && (any || ids.contains(tag.id()));
    }

    /** Refuses a body whose tags are not the user's own, or that has none. */
    public void needOwn(Collection<Tag> tags) {
        boolean named = !Tag.ids(tags, system).isEmpty();
        for (Tag tag : tags) {
            if (tag.id() != null && (named ? tag.system().equals(system) && !own(tag)
                    : otherwise.containsKey(tag.system()) && !ownOtherwise(tag))) {
                throw Refusal.denied("foreign-tag", "its meta.tag " + tag + " names what you are not assigned to.");
            }
        }
        if (!inside(tags)) {
            throw Refusal.denied("untagged", "it needs a meta.tag of system " + system + " with an id that you are"
                    + " assigned to; \"Not defined\" is none.");
        }
    }

    /** The same for who has some more ids of these systems. */
    SyncFilter with(Set<String> systems, Set<String> more) {
        Map<String, Set<String>> others = new HashMap<>(otherwise);
        others.replaceAll((other, known) -> systems.contains(other) ? union(known, more) : known);
        return new SyncFilter(system, systems.contains(system) ? union(ids, more) : ids, any, Map.copyOf(others));
    }

    private static Set<String> union(Set<String> some, Set<String> more) {
        return Stream.concat(some.stream(), more.stream()).collect(Collectors.toUnmodifiableSet());
    }

    /** The value of {@code _tag} that narrows a search. */
    public String tagValue() {
        if (ids.isEmpty()) {
            throw Refusal.denied("no-assignment", "No location is assigned to you; choose some with _syncLocations.");
        }
        return new TreeSet<>(ids).stream().map(id -> system + "|" + id).collect(Collectors.joining(","));
    }

    /** Changes when the assignments change. */
    public String fingerprint() {
        try {
            MessageDigest digest = MessageDigest.getInstance("SHA-256");
            digest.update((any + system).getBytes(StandardCharsets.UTF_8));
            add(digest, ids);
            for (Map.Entry<String, Set<String>> other : new TreeMap<>(otherwise).entrySet()) {
                digest.update(other.getKey().getBytes(StandardCharsets.UTF_8));
                add(digest, other.getValue());
            }
            return Base64.getUrlEncoder().withoutPadding().encodeToString(digest.digest()).substring(0, 16);
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException(e);
        }
    }

    private static void add(MessageDigest digest, Set<String> ids) {
        for (String id : new TreeSet<>(ids)) {
            digest.update((byte) 0);
            digest.update(id.getBytes(StandardCharsets.UTF_8));
        }
    }
}
