package org.fhirstack.server.config;

import org.springframework.boot.context.properties.ConfigurationProperties;
import org.springframework.boot.context.properties.bind.DefaultValue;

/**
 * REST-hook subscriptions, the only channel served. Names are those of {@code AppProperties.Subscription} of
 * hapi-fhir-jpaserver-starter.
 *
 * @param pollingIntervalMs null: HAPI's own
 */
@ConfigurationProperties("hapi.fhir.subscription")
public record SubscriptionProperties(
        @DefaultValue("false") boolean resthookEnabled,
        Long pollingIntervalMs,
        @DefaultValue("false") boolean immediatelyQueued) {}
