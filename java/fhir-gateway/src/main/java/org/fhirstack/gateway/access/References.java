package org.fhirstack.gateway.access;

import java.util.List;
import java.util.Set;
import java.util.function.Predicate;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.fhirstack.gateway.fhir.SearchParameters;
import org.fhirstack.gateway.request.FhirTypes;
import org.fhirstack.gateway.request.Query;

/** What the references in a search's criteria may name: {@code subject=Patient/1}, {@code patient=1}, {@code :Group=1}. */
final class References {
    private static final Pattern TYPED = Pattern.compile("(?:.*/)?([A-Z][A-Za-z]+)/[^/]+(?:/_history/[^/]*)?");
    private static final String REVERSE = "_has:";

    private References() {
    }

    /** True when one of them may name a resource of such a type. */
    static boolean any(String type, Query query, Predicate<String> such) {
        return query.params().stream().anyMatch(p -> any(type, p.name(), p.value(), such));
    }

    private static boolean any(String type, String name, String value, Predicate<String> such) {
        if (name.startsWith(REVERSE)) {
            String[] reverse = name.split(":", 4);
            return reverse.length == 4 && any(reverse[1], reverse[3], value, such);
        }
        String[] words = name.split("[:.]", 3);
        Set<String> targets = SearchParameters.targets(type, words[0]);
        if (targets.isEmpty()) {
            return false;
        }
        Set<String> named = words.length > 1 && FhirTypes.known(words[1]) ? Set.of(words[1]) : targets;
        List<String> values = name.indexOf('.') < 0 ? List.of(value.split(",")) : List.of("");
        return values.stream().flatMap(one -> {
            Matcher typed = TYPED.matcher(one);
            return (typed.matches() ? Set.of(typed.group(1)) : named).stream();
        }).anyMatch(such);
    }
}
