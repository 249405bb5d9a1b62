package org.fhirstack.gateway.custom;

import java.time.Instant;
import java.time.LocalDate;
import java.time.OffsetDateTime;
import java.time.ZoneOffset;
import java.time.format.DateTimeParseException;
import java.util.function.Predicate;
import org.fhirstack.gateway.Refusal;

/** Which locations of a hierarchy are asked for: by administrative level and time of change. */
final class Selection {
    static final String MIN = "administrativeLevelMin";
    static final String MAX = "administrativeLevelMax";
    static final String UPDATED = "_lastUpdated";

    private Selection() {
    }

    static Predicate<Place> of(Parameters parameters) {
        Predicate<Place> all = place -> true;
        if (parameters.has(MIN) || parameters.has(MAX)) {
            int least = parameters.number(MIN, 0);
            int most = parameters.number(MAX, Integer.MAX_VALUE);
            all = all.and(place -> place.level() >= least && place.level() <= most);
        }
        String updated = parameters.text(UPDATED);
        return updated == null ? all : all.and(updated(updated));
    }

    /** A time with an offset or a date, after a prefix; without one it means "then or later". */
    private static Predicate<Place> updated(String value) {
        boolean prefixed = value.matches("(ge|gt|le|lt).*");
        Instant time = time(prefixed ? value.substring(2) : value);
        return switch (prefixed ? value.substring(0, 2) : "ge") {
            case "gt" -> place -> place.lastUpdated() != null && place.lastUpdated().isAfter(time);
            case "le" -> place -> place.lastUpdated() != null && !place.lastUpdated().isAfter(time);
            case "lt" -> place -> place.lastUpdated() != null && place.lastUpdated().isBefore(time);
            default -> place -> place.lastUpdated() != null && !place.lastUpdated().isBefore(time);
        };
    }

    private static Instant time(String text) {
        try {
            // A plus sign in a query means a blank.
            String plain = text.replace(' ', '+');
            return plain.matches("[0-9-]{10}") ? LocalDate.parse(plain).atStartOfDay().toInstant(ZoneOffset.UTC)
                    : OffsetDateTime.parse(plain).toInstant();
        } catch (DateTimeParseException e) {
            throw Refusal.malformed("The parameter _lastUpdated must be a time such as 2025-01-31T00:00:00Z.");
        }
    }
}
