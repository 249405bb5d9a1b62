package org.fhirstack.server.config;

import ca.uhn.fhir.jpa.model.entity.NormalizedQuantitySearchLevel;
import java.util.List;
import org.springframework.boot.context.properties.ConfigurationProperties;
import org.springframework.boot.context.properties.bind.DefaultValue;

/**
 * How resources are indexed, found and paged. Names and defaults are those of {@code AppProperties} of
 * hapi-fhir-jpaserver-starter.
 *
 * @param reuseCachedSearchResultsMillis 0: every search asks the database anew
 * @param retainCachedSearchesMins how long a next link works
 */
@ConfigurationProperties("hapi.fhir")
public record SearchProperties(
        @DefaultValue("20") int defaultPageSize,
        @DefaultValue("2147483647") int maxPageSize,
        @DefaultValue("60000") long reuseCachedSearchResultsMillis,
        @DefaultValue("60") long retainCachedSearchesMins,
        @DefaultValue List<Integer> searchPrefetchThresholds,
        @DefaultValue("true") boolean allowContainsSearches,
        @DefaultValue("true") boolean allowOverrideDefaultSearchParams,
        @DefaultValue("true") boolean filterSearchEnabled,
        @DefaultValue("false") boolean languageSearchParameterEnabled,
        @DefaultValue("false") boolean enableIndexMissingFields,
        @DefaultValue("false") boolean enableIndexOfType,
        @DefaultValue("false") boolean enableIndexContainedResource,
        @DefaultValue("false") boolean upliftedRefchainsEnabled,
        @DefaultValue("NORMALIZED_QUANTITY_SEARCH_NOT_SUPPORTED")
                NormalizedQuantitySearchLevel normalizedQuantitySearchLevel,
        @DefaultValue("100") int deferIndexingForCodesystemsOfSize,
        @DefaultValue("true") boolean preExpandValueSets,
        @DefaultValue("true") boolean enableTaskPreExpandValueSets,
        @DefaultValue("1000") int preExpandValueSetsDefaultCount,
        @DefaultValue("1000") int preExpandValueSetsMaxCount,
        @DefaultValue("1000") int maximumExpansionSize) {}
