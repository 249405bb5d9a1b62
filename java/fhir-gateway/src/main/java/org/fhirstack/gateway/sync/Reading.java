package org.fhirstack.gateway.sync;

import java.util.Collection;
import java.util.Set;

/**
 * What a reader may see of resources, by their tags.
 *
 * @param filter  null for who has no assignments, and for who has no token
 * @param systems the tag systems of all strategies
 */
public record Reading(SyncFilter filter, Set<String> systems) {

    /**
     * True when a resource with these tags may be seen.
     *
     * @param everybodys whether it is of a type that everybody reads: of such a type what no tag assigns, too
     */
    public boolean may(Collection<Tag> tags, boolean everybodys) {
        return everybodys && Tag.unassigned(tags, systems) || filter != null && filter.inside(tags);
    }
}
