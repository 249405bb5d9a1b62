package org.fhirstack.server.fhir;

import ca.uhn.fhir.jpa.api.config.JpaStorageSettings;
import ca.uhn.fhir.jpa.api.config.JpaStorageSettings.ClientIdStrategyEnum;
import ca.uhn.fhir.jpa.api.config.JpaStorageSettings.IdStrategyEnum;
import ca.uhn.fhir.jpa.model.entity.StorageSettings.IndexEnabledEnum;
import java.time.Duration;
import java.util.HashSet;
import java.util.stream.Collectors;
import org.fhirstack.server.config.SearchProperties;
import org.fhirstack.server.config.StorageProperties;
import org.hl7.fhir.r4.model.Bundle.BundleType;

/** From the keys of application.yaml to HAPI's {@link JpaStorageSettings}, as {@code FhirServerConfigCommon} of the starter does. */
final class StorageSettings {

    private StorageSettings() {}

    static JpaStorageSettings of(StorageProperties storage, SearchProperties search) {
        JpaStorageSettings settings = new JpaStorageSettings();
        references(settings, storage);
        writing(settings, storage);
        deleting(settings, storage);
        searching(settings, search);
        indexing(settings, search);
        terminology(settings, search);
        return settings;
    }

    private static void references(JpaStorageSettings settings, StorageProperties storage) {
        settings.setAllowExternalReferences(storage.allowExternalReferences());
        settings.setEnforceReferentialIntegrityOnWrite(storage.enforceReferentialIntegrityOnWrite());
        settings.setEnforceReferentialIntegrityOnDelete(storage.enforceReferentialIntegrityOnDelete());
        settings.setAutoCreatePlaceholderReferenceTargets(storage.autoCreatePlaceholderReferenceTargets());
        settings.setAutoVersionReferenceAtPaths(new HashSet<>(storage.autoVersionReferenceAtPaths()));
        settings.setTreatBaseUrlsAsLocal(new HashSet<>(storage.localBaseUrls()));
        settings.setTreatReferencesAsLogical(new HashSet<>(storage.logicalUrls()));
    }

    private static void writing(JpaStorageSettings settings, StorageProperties storage) {
        settings.setResourceClientIdStrategy(storage.clientIdStrategy());
        if (storage.serverIdStrategy() != null) {
            settings.setResourceServerIdStrategy(storage.serverIdStrategy());
        } else if (storage.clientIdStrategy() == ClientIdStrategyEnum.ANY) {
            // a sequence would one day meet an id that a client chose
            settings.setResourceServerIdStrategy(IdStrategyEnum.UUID);
        }
        if (storage.allowedBundleTypes() != null) {
            settings.setBundleTypesAllowedForStorage(
                    storage.allowedBundleTypes().stream().map(BundleType::toCode).collect(Collectors.toSet()));
        }
        settings.setMassIngestionMode(storage.massIngestionModeEnabled());
        settings.setResourceDbHistoryEnabled(storage.resourceDbhistoryEnabled());
        settings.setSchedulingDisabled(!storage.daoSchedulingEnabled());
        settings.setBundleBatchPoolSize(storage.bundleBatchPoolSize());
        settings.setBundleBatchMaxPoolSize(storage.bundleBatchPoolMaxSize());
    }

    private static void deleting(JpaStorageSettings settings, StorageProperties storage) {
        settings.setAllowMultipleDelete(storage.allowMultipleDelete());
        settings.setExpungeEnabled(storage.expungeEnabled());
        settings.setDeleteExpungeEnabled(storage.deleteExpungeEnabled());
    }

    private static void searching(JpaStorageSettings settings, SearchProperties search) {
        settings.setFetchSizeDefaultMaximum(search.maxPageSize());
        // HAPI takes null, not 0, for "never reuse"
        settings.setReuseCachedSearchResultsForMillis(
                search.reuseCachedSearchResultsMillis() == 0 ? null : search.reuseCachedSearchResultsMillis());
        settings.setExpireSearchResultsAfterMillis(
                Duration.ofMinutes(search.retainCachedSearchesMins()).toMillis());
        if (!search.searchPrefetchThresholds().isEmpty()) {
            settings.setSearchPreFetchThresholds(search.searchPrefetchThresholds());
        }
        settings.setAllowContainsSearches(search.allowContainsSearches());
        settings.setFilterParameterEnabled(search.filterSearchEnabled());
        settings.setLanguageSearchParameterEnabled(search.languageSearchParameterEnabled());
        settings.setDefaultSearchParamsCanBeOverridden(search.allowOverrideDefaultSearchParams());
    }

    private static void indexing(JpaStorageSettings settings, SearchProperties search) {
        settings.setIndexMissingFields(
                search.enableIndexMissingFields() ? IndexEnabledEnum.ENABLED : IndexEnabledEnum.DISABLED);
        settings.setIndexIdentifierOfType(search.enableIndexOfType());
        settings.setIndexOnContainedResources(search.enableIndexContainedResource());
        settings.setIndexOnUpliftedRefchains(search.upliftedRefchainsEnabled());
        settings.setNormalizedQuantitySearchLevel(search.normalizedQuantitySearchLevel());
        settings.setHibernateSearchIndexFullText(false);
        settings.setHibernateSearchIndexSearchParams(false);
    }

    private static void terminology(JpaStorageSettings settings, SearchProperties search) {
        settings.setDeferIndexingForCodesystemsOfSize(search.deferIndexingForCodesystemsOfSize());
        settings.setPreExpandValueSets(search.preExpandValueSets());
        settings.setEnableTaskPreExpandValueSets(search.enableTaskPreExpandValueSets());
        settings.setPreExpandValueSetsDefaultCount(search.preExpandValueSetsDefaultCount());
        settings.setPreExpandValueSetsMaxCount(search.preExpandValueSetsMaxCount());
        settings.setMaximumExpansionSize(search.maximumExpansionSize());
    }
}
