package org.fhirstack.gateway.sync;

import java.util.EnumMap;
import java.util.Map;
import java.util.Set;

/** The tag system of each sync strategy. */
public record TagSystems(Map<Strategy, String> systems) {

    /** OpenSRP's sync strategies, spelled in its configuration as {@link #label()}. */
    public enum Strategy {
        CARE_TEAM("CareTeam"), ORGANIZATION("Organization"), LOCATION("Location"),
        RELATED_ENTITY_LOCATION("RelatedEntityLocation");

        private final String label;

        Strategy(String label) {
            this.label = label;
        }

        public String label() {
            return label;
        }

        /** The strategy of that spelling, whatever its letter case; null when there is none. */
        public static Strategy named(String text) {
            for (Strategy s : values()) {
                if (s.label.equalsIgnoreCase(text)) {
                    return s;
                }
            }
            return null;
        }
    }

    public static TagSystems of(String careTeam, String organization, String location, String relatedEntity) {
        Map<Strategy, String> systems = new EnumMap<>(Strategy.class);
        systems.put(Strategy.CARE_TEAM, careTeam);
        systems.put(Strategy.ORGANIZATION, organization);
        systems.put(Strategy.LOCATION, location);
        systems.put(Strategy.RELATED_ENTITY_LOCATION, relatedEntity);
        return new TagSystems(systems);
    }

    public Set<String> all() {
        return Set.copyOf(systems.values());
    }

    public String of(Strategy strategy) {
        return systems.get(strategy);
    }
}
