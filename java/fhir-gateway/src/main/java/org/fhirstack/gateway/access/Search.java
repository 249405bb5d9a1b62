package org.fhirstack.gateway.access;

import java.util.Set;
import org.fhirstack.gateway.request.Query;
import org.fhirstack.gateway.sync.Reading;

/**
 * A search as the backend gets it, and how its pages are judged. The caller has checked the role for the type.
 *
 * @param reading what the answer is judged by; null when the user may see all
 */
record Search(Query query, AnswerRule.Page page, Reading reading) {

    static Search of(Access access, String type, Query query) {
        SearchRules.Reach reach = SearchRules.of(type, query);
        access.judge(reach);
        Query narrowed = ChainRules.apply(access, type, query, reach.chains());
        if (!access.user.android()) {
            return new Search(narrowed, new AnswerRule.Page(type, reach.includes() ? AnswerRule.Mode.INCLUDES
                    : AnswerRule.Mode.PLAIN, "", access.chosenLocations()), null);
        }
        boolean filtered = access.filtered("GET", type, query, null);
        if (filtered) {
            narrowed = narrowed.plus("_tag", access.filter().tagValue());
        }
        // A search is done once, and what it found shown later, page by page: by then it can be another team's.
        narrowed = withTags(narrowed);
        if (reach.includes()) {
            // Judging included entries needs their tags, which a partial answer may not have; a count has no entries.
            narrowed = narrowed.without("count".equals(query.single("_summary")) ? Set.of("_elements")
                    : Set.of("_elements", "_summary"));
        }
        return new Search(narrowed, new AnswerRule.Page(type, filtered ? AnswerRule.Mode.EVERYTHING
                : AnswerRule.Mode.EVERYBODYS, filtered ? access.filter().fingerprint() : "", access.chosenLocations()),
                access.reading(filtered));
    }

    /** For the log. */
    String reason() {
        return page.filter().isEmpty() ? "search" : "search-filtered";
    }

    /** The same, with what an answer is judged by in it; a summary of any kind has it. */
    static Query withTags(Query query) {
        String elements = query.single("_elements");
        return elements == null ? query : query.without(Set.of("_elements")).plus("_elements", elements + ",meta");
    }
}
