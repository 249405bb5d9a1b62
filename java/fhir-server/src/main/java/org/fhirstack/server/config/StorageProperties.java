package org.fhirstack.server.config;

import ca.uhn.fhir.jpa.api.config.JpaStorageSettings.ClientIdStrategyEnum;
import ca.uhn.fhir.jpa.api.config.JpaStorageSettings.IdStrategyEnum;
import java.util.Set;
import org.hl7.fhir.r4.model.Bundle.BundleType;
import org.springframework.boot.context.properties.ConfigurationProperties;
import org.springframework.boot.context.properties.bind.DefaultValue;

/**
 * What is stored, referred to and deleted. Names and defaults are those of {@code AppProperties} of
 * hapi-fhir-jpaserver-starter, except {@code expunge_enabled}, which removes history for good and is off unless asked for.
 *
 * @param serverIdStrategy null: UUID when clients may choose any id, else HAPI's sequence
 * @param allowedBundleTypes null: HAPI's own (collection, document, message)
 */
@ConfigurationProperties("hapi.fhir")
public record StorageProperties(
        @DefaultValue("false") boolean allowExternalReferences,
        @DefaultValue("false") boolean allowMultipleDelete,
        @DefaultValue("false") boolean deleteExpungeEnabled,
        @DefaultValue("false") boolean expungeEnabled,
        @DefaultValue("true") boolean enforceReferentialIntegrityOnWrite,
        @DefaultValue("true") boolean enforceReferentialIntegrityOnDelete,
        @DefaultValue("false") boolean autoCreatePlaceholderReferenceTargets,
        @DefaultValue Set<String> autoVersionReferenceAtPaths,
        @DefaultValue Set<String> localBaseUrls,
        @DefaultValue Set<String> logicalUrls,
        @DefaultValue("ALPHANUMERIC") ClientIdStrategyEnum clientIdStrategy,
        IdStrategyEnum serverIdStrategy,
        Set<BundleType> allowedBundleTypes,
        @DefaultValue("false") boolean massIngestionModeEnabled,
        @DefaultValue("true") boolean resourceDbhistoryEnabled,
        @DefaultValue("true") boolean daoSchedulingEnabled,
        @DefaultValue("20") int bundleBatchPoolSize,
        @DefaultValue("100") int bundleBatchPoolMaxSize,
        @DefaultValue("false") boolean userRequestRetryVersionConflictsInterceptorEnabled) {}
