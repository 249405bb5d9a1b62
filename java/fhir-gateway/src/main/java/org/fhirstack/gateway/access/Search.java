package org.fhirstack.gateway.access;

import java.util.Set;
import org.fhirstack.gateway.request.Query;
import org.fhirstack.gateway.sync.SyncFilter;

/**
 * A search as the backend gets it, and how its pages are judged. The caller has checked the role for the type.
 *
 * @param filter what the answer is judged by; null when the user has no sync filter that matters here
 */
record Search(Query query, AnswerRule.Page page, SyncFilter filter) {

    static Search of(Access access, String type, Query query) {
        SearchRules.Reach reach = SearchRules.of(type, query);
        access.judge(reach);
        Query narrowed = ChainRules.apply(access, type, query, reach.chains());
        SyncFilter filter = null;
        AnswerRule.Mode mode = reach.includes() ? AnswerRule.Mode.INCLUDES : AnswerRule.Mode.PLAIN;
        if (access.filtered("GET", type, query, null)) {
            filter = access.filter();
            narrowed = narrowed.plus("_tag", filter.tagValue());
            // A search is done once, and what it found shown later, page by page: by then it can be another team's.
            mode = AnswerRule.Mode.EVERYTHING;
            narrowed = withTags(narrowed);
        } else if (access.user.android() && reach.includes()) {
            filter = access.filter();
        }
        if (reach.includes() && filter != null) {
            // Judging included entries needs their tags, which a partial answer may not have; a count has no entries.
            narrowed = narrowed.without("count".equals(query.single("_summary")) ? Set.of("_elements")
                    : Set.of("_elements", "_summary"));
        }
        return new Search(narrowed, new AnswerRule.Page(type, mode, filter == null ? "" : filter.fingerprint(),
                access.chosenLocations()), filter);
    }

    /** The same, with what an answer is judged by in it; a summary of any kind has it. */
    static Query withTags(Query query) {
        String elements = query.single("_elements");
        return elements == null ? query : query.without(Set.of("_elements")).plus("_elements", elements + ",meta");
    }
}
