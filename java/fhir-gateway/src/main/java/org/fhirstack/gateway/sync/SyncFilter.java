package org.fhirstack.gateway.sync;

import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Base64;
import java.util.Collection;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import org.fhirstack.gateway.Refusal;

/**
 * Which resources an Android user may touch: those with a tag of this system and one of these ids.
 *
 * @param any true when every id of the system will do (related-entity locations of a user who may choose any)
 */
public record SyncFilter(String system, Set<String> ids, boolean any) {

    /** True when a resource with these codes of the system is the user's. */
    public boolean inside(Collection<String> codes) {
        return any ? !codes.isEmpty() : codes.stream().anyMatch(ids::contains);
    }

    /** Refuses a body whose codes of the system are not all the user's own, or that has none. */
    public void needOwn(Collection<String> codes) {
        if (codes.isEmpty()) {
            throw Refusal.denied("untagged", "The resource needs a meta.tag of system " + system
                    + " with an id that you are assigned to.");
        }
        if (!any && !ids.containsAll(codes)) {
            throw Refusal.denied("foreign-tag", "The resource has a meta.tag of system " + system
                    + " with an id that you are not assigned to.");
        }
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
            for (String id : new TreeSet<>(ids)) {
                digest.update((byte) 0);
                digest.update(id.getBytes(StandardCharsets.UTF_8));
            }
            return Base64.getUrlEncoder().withoutPadding().encodeToString(digest.digest()).substring(0, 16);
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException(e);
        }
    }
}
