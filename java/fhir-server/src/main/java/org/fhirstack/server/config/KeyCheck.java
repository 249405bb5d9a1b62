package org.fhirstack.server.config;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.regex.Pattern;
import org.springframework.boot.origin.OriginTrackedValue;
import org.springframework.core.env.ConfigurableEnvironment;
import org.springframework.core.env.EnumerablePropertySource;
import org.springframework.core.env.PropertySource;
import org.springframework.core.env.StandardEnvironment;

/**
 * Looks at every key that an operator gave: in files, in {@code SPRING_APPLICATION_JSON}, on the command line, and what of
 * the environment and of the system properties is meant for this server.
 */
class KeyCheck {
    private static final Set<String> GIVEN_AS_A_WHOLE = Set.of("spring.application.json", "commandLineArgs");
    /** What Spring Boot calls the files and directories it was given. */
    private static final String FILES = "Config ";
    private static final Pattern OUR_PROPERTY =
            Pattern.compile("(hapi\\.fhir|fhirstack|spring\\.datasource|spring\\.jpa|server|management)\\..*");
    private static final Pattern OUR_VARIABLE =
            Pattern.compile("(HAPI_FHIR|FHIRSTACK|SPRING_DATASOURCE|SPRING_JPA|MANAGEMENT)_.*");
    /** Kubernetes puts these into every pod for a service called e.g. hapi-fhir. */
    private static final Pattern SERVICE_LINK =
            Pattern.compile(".*_SERVICE_HOST|.*_SERVICE_PORT(_.*)?|.*_PORT(_\\d+_(TCP|UDP|SCTP)(_.*)?)?");

    private final AcceptedKeys keys;
    private final ConfigurableEnvironment environment;

    KeyCheck(AcceptedKeys keys, ConfigurableEnvironment environment) {
        this.keys = keys;
        this.environment = environment;
    }

    List<Problem> problems() {
        List<Problem> problems = new ArrayList<>();
        for (PropertySource<?> source : environment.getPropertySources()) {
            if (!(source instanceof EnumerablePropertySource<?> enumerable)) {
                continue;
            }
            for (String name : enumerable.getPropertyNames()) {
                if (StandardEnvironment.SYSTEM_ENVIRONMENT_PROPERTY_SOURCE_NAME.equals(source.getName())) {
                    checkVariable(name).ifPresent(problems::add);
                } else if (isGiven(source, name)) {
                    check(enumerable, name).ifPresent(problems::add);
                }
            }
        }
        return problems;
    }

    private static boolean isGiven(PropertySource<?> source, String name) {
        return switch (source.getName()) {
            case StandardEnvironment.SYSTEM_PROPERTIES_PROPERTY_SOURCE_NAME -> OUR_PROPERTY.matcher(name).matches();
            default -> GIVEN_AS_A_WHOLE.contains(source.getName()) || source.getName().startsWith(FILES);
        };
    }

    private Optional<Problem> check(EnumerablePropertySource<?> source, String name) {
        String value = resolve(source.getProperty(name));
        Optional<Setting> setting = keys.find(name);
        boolean empty = value.isBlank();
        if (empty && setting.isEmpty() && keys.hasKeysBelow(name)) {
            // Spring Boot takes it for a value and fails to make an object of it
            return Optional.of(new Problem(Places.of(source, name), name, "nothing is under this heading: remove it"));
        }
        if (setting.isPresent()) {
            return setting.get().allows(value)
                    ? Optional.empty()
                    : Optional.of(new Problem(Places.of(source, name), name, refusal(setting.get())));
        }
        return Optional.of(new Problem(Places.of(source, name), name, unknown(name)));
    }

    private Optional<Problem> checkVariable(String name) {
        if (!OUR_VARIABLE.matcher(name).matches() || SERVICE_LINK.matcher(name).matches()) {
            return Optional.empty();
        }
        String where = "environment variable";
        Optional<Setting> setting = keys.findVariable(name);
        if (setting.isPresent()) {
            return setting.get().allows(resolve(environment.getSystemEnvironment().get(name)))
                    ? Optional.empty()
                    : Optional.of(new Problem(where, name, refusal(setting.get())));
        }
        return keys.knowsVariable(name)
                ? Optional.empty()
                : Optional.of(new Problem(where, name, "nothing in this server reads it"));
    }

    private String unknown(String name) {
        return "nothing in this server reads it"
                + keys.nearest(name)
                        .map(near -> "; the nearest key is " + near)
                        .orElse("");
    }

    private static String refusal(Setting setting) {
        return setting.rule() == Setting.Rule.ONLY
                ? setting.reason() + " (accepted: " + String.join(", ", setting.values()) + ")"
                : setting.reason();
    }

    private String resolve(Object value) {
        Object plain = value instanceof OriginTrackedValue tracked ? tracked.getValue() : value;
        return plain == null ? "" : environment.resolvePlaceholders(plain.toString());
    }
}
