package org.fhirstack.server.config;

import java.util.Collection;
import java.util.Optional;
import java.util.function.UnaryOperator;

/** Finds what was probably meant. */
final class NearestName {

    private NearestName() {}

    /** The name with the fewest changed letters, or none when more than a fifth of the letters would have to change. */
    static Optional<String> of(String wanted, Collection<String> names, UnaryOperator<String> form) {
        int limit = Math.max(1, wanted.length() / 5);
        String best = null;
        int fewest = limit + 1;
        for (String name : names) {
            String candidate = form.apply(name);
            if (Math.abs(candidate.length() - wanted.length()) < fewest) {
                int distance = distance(wanted, candidate);
                if (distance < fewest) {
                    fewest = distance;
                    best = name;
                }
            }
        }
        return Optional.ofNullable(best);
    }

    /** Levenshtein's distance. */
    static int distance(String a, String b) {
        int[] previous = new int[b.length() + 1];
        for (int j = 0; j <= b.length(); j++) {
            previous[j] = j;
        }
        for (int i = 1; i <= a.length(); i++) {
            int[] row = new int[b.length() + 1];
            row[0] = i;
            for (int j = 1; j <= b.length(); j++) {
                int change = a.charAt(i - 1) == b.charAt(j - 1) ? 0 : 1;
                row[j] = Math.min(Math.min(row[j - 1], previous[j]) + 1, previous[j - 1] + change);
            }
            previous = row;
        }
        return previous[b.length()];
    }
}
