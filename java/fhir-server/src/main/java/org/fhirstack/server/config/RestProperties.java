package org.fhirstack.server.config;

import ca.uhn.fhir.rest.api.EncodingEnum;
import java.util.List;
import org.springframework.boot.context.properties.ConfigurationProperties;
import org.springframework.boot.context.properties.bind.DefaultValue;

/**
 * What the REST layer does. Names and defaults are those of {@code AppProperties} of hapi-fhir-jpaserver-starter,
 * except that narratives are not generated unless asked for (so does the starter's own application.yaml).
 *
 * @param fhirVersion a {@code String}, so that another version is refused with a reason and not as a spelling mistake
 * @param serverAddress the base of every link and Location; else it is derived from the request
 * @param supportedResourceTypes empty: all of R4
 * @param maxBinarySize bytes; null: HAPI's own limit
 * @param cors null: no CORS headers at all
 */
@ConfigurationProperties("hapi.fhir")
public record RestProperties(
        @DefaultValue("R4") String fhirVersion,
        @DefaultValue("") String serverAddress,
        @DefaultValue("false") boolean useApacheAddressStrategy,
        @DefaultValue("false") boolean useApacheAddressStrategyHttps,
        @DefaultValue("JSON") EncodingEnum defaultEncoding,
        @DefaultValue("true") boolean defaultPrettyPrint,
        @DefaultValue("true") boolean etagSupportEnabled,
        @DefaultValue("false") boolean narrativeEnabled,
        @DefaultValue("false") boolean fhirpathInterceptorEnabled,
        @DefaultValue("false") boolean allowCascadingDeletes,
        @DefaultValue("false") boolean bulkExportEnabled,
        @DefaultValue("false") boolean binaryStorageEnabled,
        Integer maxBinarySize,
        @DefaultValue List<String> supportedResourceTypes,
        @DefaultValue Validation validation,
        @DefaultValue Logger logger,
        Cors cors) {

    /** Whether resources are validated against their profiles when they come in, or before they go out. */
    public record Validation(
            @DefaultValue("false") boolean requestsEnabled, @DefaultValue("false") boolean responsesEnabled) {}

    /** Origins are patterns, as in Spring's {@code CorsConfiguration.setAllowedOriginPatterns}. */
    public record Cors(@DefaultValue("true") boolean allowCredentials, @DefaultValue("*") List<String> allowedOrigin) {}

    /**
     * HAPI's own request log, beside the access log. It is written only when a format is given.
     *
     * @param format null: off; placeholders are those of HAPI's {@code LoggingInterceptor}
     */
    public record Logger(
            @DefaultValue("fhirtest.access") String name,
            String format,
            @DefaultValue("ERROR - ${requestVerb} ${servletPath}") String errorFormat,
            @DefaultValue("true") boolean logExceptions) {}
}
