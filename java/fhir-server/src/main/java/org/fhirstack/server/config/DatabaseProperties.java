package org.fhirstack.server.config;

import java.time.Duration;
import org.springframework.boot.context.properties.ConfigurationProperties;
import org.springframework.boot.context.properties.bind.DefaultValue;

/**
 * How long to wait for the database at start. The hapiproject/hapi image has no such key: it ignores this prefix.
 *
 * @param waitFor 0: one attempt
 */
@ConfigurationProperties("fhirstack.database")
public record DatabaseProperties(@DefaultValue("60s") Duration waitFor, @DefaultValue("2s") Duration retryInterval) {}
