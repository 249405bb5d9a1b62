package org.fhirstack.server.config;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import org.springframework.boot.env.YamlPropertySourceLoader;
import org.springframework.core.env.ConfigurableEnvironment;
import org.springframework.core.env.MapPropertySource;
import org.springframework.core.env.PropertySource;
import org.springframework.core.env.StandardEnvironment;
import org.springframework.core.env.SystemEnvironmentPropertySource;
import org.springframework.core.io.ByteArrayResource;

/** Environments as Spring Boot would make them of a file. */
public final class Environments {

    private Environments() {}

    /** One with a file, over other values. */
    public static ConfigurableEnvironment of(String yaml, Map<String, Object> base) {
        return withVariables(yaml, base, Map.of());
    }

    static ConfigurableEnvironment withVariables(
            String yaml, Map<String, Object> base, Map<String, Object> variables) {
        StandardEnvironment environment = new StandardEnvironment() {
            @Override
            protected void customizePropertySources(
                    org.springframework.core.env.MutablePropertySources propertySources) {
                propertySources.addLast(
                        new SystemEnvironmentPropertySource(SYSTEM_ENVIRONMENT_PROPERTY_SOURCE_NAME, variables));
            }
        };
        for (PropertySource<?> source : load(yaml)) {
            environment.getPropertySources().addLast(source);
        }
        environment.getPropertySources().addLast(new MapPropertySource("base", base));
        return environment;
    }

    private static Iterable<PropertySource<?>> load(String yaml) {
        ByteArrayResource file = new ByteArrayResource(yaml.getBytes(StandardCharsets.UTF_8), "test.yaml") {
            @Override
            public String getDescription() {
                return "test.yaml";
            }
        };
        try {
            return new YamlPropertySourceLoader().load("Config resource 'test.yaml'", file);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
