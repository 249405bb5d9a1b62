package org.fhirstack.server.config;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.springframework.boot.autoconfigure.jdbc.DataSourceProperties;
import org.springframework.boot.autoconfigure.web.ServerProperties;
import org.springframework.boot.actuate.autoconfigure.web.server.ManagementServerProperties;
import org.springframework.boot.context.properties.bind.BindException;
import org.springframework.boot.context.properties.bind.Binder;
import org.springframework.boot.context.properties.source.ConfigurationProperty;
import org.springframework.core.env.Environment;

/** Whether the values can be read at all: numbers where numbers are wanted, names that exist. */
class BindingCheck {
    private static final List<Map.Entry<String, Class<?>>> TARGETS = List.of(
            Map.entry("hapi.fhir", RestProperties.class),
            Map.entry("hapi.fhir", StorageProperties.class),
            Map.entry("hapi.fhir", SearchProperties.class),
            Map.entry("hapi.fhir.subscription", SubscriptionProperties.class),
            Map.entry("fhirstack.database", DatabaseProperties.class),
            Map.entry("spring.datasource", DataSourceProperties.class),
            Map.entry("server", ServerProperties.class),
            Map.entry("management.server", ManagementServerProperties.class));

    private final Environment environment;

    BindingCheck(Environment environment) {
        this.environment = environment;
    }

    List<Problem> problems() {
        Binder binder = Binder.get(environment);
        List<Problem> problems = new ArrayList<>();
        for (Map.Entry<String, Class<?>> target : TARGETS) {
            try {
                binder.bindOrCreate(target.getKey(), target.getValue());
            } catch (BindException e) {
                problems.add(describe(e));
            }
        }
        return problems;
    }

    private static Problem describe(BindException failure) {
        Optional<ConfigurationProperty> property = Optional.ofNullable(failure.getProperty());
        String where = property.map(p -> Places.of(p.getOrigin(), "")).orElse("");
        String value = property.map(p -> "'" + p.getValue() + "' ").orElse("");
        String type = failure.getTarget().getType().resolve(Object.class).getSimpleName();
        return new Problem(where, failure.getName().toString(), value + "cannot be read as " + type);
    }
}
