package org.fhirstack.server.config;

import java.util.List;
import java.util.Locale;

/**
 * One line of {@code settings.txt}: a key, or with {@code .**} all keys below one, and what becomes of it.
 *
 * @param key as documented by its owner
 * @param rule whether it is read
 * @param values the only values accepted, for {@link Rule#ONLY}
 * @param reason said when it is refused
 */
record Setting(String key, Rule rule, List<String> values, String reason) {

    enum Rule {
        /** Read, by Spring Boot or by this server. */
        ACCEPT,
        /** What it stands for is not here: accepted with the values that say so. */
        ONLY,
        /** Never accepted. */
        REFUSE
    }

    static Setting accepted(String key) {
        return new Setting(key, Rule.ACCEPT, List.of(), "");
    }

    boolean coversBelow() {
        return key.endsWith(".**");
    }

    String base() {
        return coversBelow() ? key.substring(0, key.length() - 3) : key;
    }

    boolean allows(String value) {
        return switch (rule) {
            case ACCEPT -> true;
            case ONLY -> values.contains(value.strip().toLowerCase(Locale.ROOT));
            case REFUSE -> false;
        };
    }
}
