package org.fhirstack.gateway.config;

import java.util.List;

/** Everything that is wrong with the configuration, at once. */
public final class ConfigurationException extends Exception {
    private static final long serialVersionUID = 1L;

    public ConfigurationException(List<String> problems) {
        super("fhir-gateway cannot start, its configuration is wrong:\n  - " + String.join("\n  - ", problems));
    }
}
