package org.fhirstack.server.config;

import java.net.URI;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.springframework.boot.context.properties.bind.Binder;
import org.springframework.core.env.Environment;

/** Values that are well formed and cannot work, alone or together. */
class CombinationCheck {
    private static final Set<String> ENDPOINTS = Set.of("health", "prometheus");
    private static final Pattern PLACEHOLDER = Pattern.compile("\\$\\{([^}]+)}");
    /** Placeholders of HAPI's LoggingInterceptor that cannot carry what a client asked for or sent. */
    private static final Set<String> HARMLESS = Set.of(
            "id",
            "idOrResourceName",
            "operationName",
            "operationType",
            "processingTimeMillis",
            "remoteAddr",
            "requestHeader.user-agent",
            "requestHeader.x-forwarded-for",
            "requestHeader.x-request-id",
            "requestId",
            "requestVerb",
            "responseEncoding",
            "responseEncodingNoDefault",
            "servletPath");

    private final Environment environment;
    private final RestProperties rest;
    private final SearchProperties search;
    private final List<Problem> problems = new ArrayList<>();

    CombinationCheck(Environment environment) {
        this.environment = environment;
        Binder binder = Binder.get(environment);
        this.rest = binder.bindOrCreate("hapi.fhir", RestProperties.class);
        this.search = binder.bindOrCreate("hapi.fhir", SearchProperties.class);
    }

    List<Problem> problems() {
        database();
        address();
        cors();
        paging();
        management();
        requestLog();
        if (!rest.fhirVersion().equalsIgnoreCase("R4")) {
            refuse("hapi.fhir.fhir_version", "only R4 is served");
        }
        return problems;
    }

    private void refuse(String key, String message) {
        problems.add(new Problem("", key, message));
    }

    private void database() {
        String url = environment.getProperty("spring.datasource.url", "");
        if (url.isBlank()) {
            refuse("spring.datasource.url", "missing: there is no database to fall back to");
        } else if (!url.startsWith("jdbc:postgresql:")) {
            refuse("spring.datasource.url", "only jdbc:postgresql: is served");
        }
    }

    private void address() {
        String address = rest.serverAddress();
        if (!address.isEmpty() && !isHttp(address)) {
            refuse("hapi.fhir.server_address", "'" + address + "' is not an http or https address");
        }
        if (!address.isEmpty() && rest.useApacheAddressStrategy()) {
            refuse(
                    "hapi.fhir.use_apache_address_strategy",
                    "has no effect beside hapi.fhir.server_address: give one of them");
        }
        if (rest.useApacheAddressStrategyHttps() && !rest.useApacheAddressStrategy()) {
            refuse(
                    "hapi.fhir.use_apache_address_strategy_https",
                    "has no effect without hapi.fhir.use_apache_address_strategy: true");
        }
    }

    private static boolean isHttp(String address) {
        try {
            URI uri = URI.create(address);
            return ("http".equals(uri.getScheme()) || "https".equals(uri.getScheme())) && uri.getHost() != null;
        } catch (IllegalArgumentException e) {
            return false;
        }
    }

    private void cors() {
        RestProperties.Cors cors = rest.cors();
        if (cors != null && cors.allowCredentials() && cors.allowedOrigin().contains("*")) {
            refuse(
                    "hapi.fhir.cors.allowed_origin",
                    "'*' with allow_Credentials: true lets any site act as the user: name the origins");
        }
    }

    private void paging() {
        if (search.defaultPageSize() < 1 || search.defaultPageSize() > search.maxPageSize()) {
            refuse("hapi.fhir.default_page_size", "must be from 1 to hapi.fhir.max_page_size");
        }
        if (search.retainCachedSearchesMins() < 1) {
            refuse("hapi.fhir.retain_cached_searches_mins", "must be 1 or more: next links would be dead at once");
        }
    }

    private void management() {
        int port = environment.getProperty("server.port", Integer.class, 0);
        int managementPort = environment.getProperty("management.server.port", Integer.class, 0);
        if (port == managementPort && port > 0) {
            refuse("management.server.port", "must differ from server.port: health and metrics are not for FHIR clients");
        }
        Set<String> exposed = new HashSet<>(Binder.get(environment)
                .bind("management.endpoints.web.exposure.include", String[].class)
                .map(List::of)
                .orElse(List.of()));
        exposed.removeAll(ENDPOINTS);
        if (!exposed.isEmpty()) {
            refuse("management.endpoints.web.exposure.include", "not served: " + exposed + "; there are " + ENDPOINTS);
        }
    }

    private void requestLog() {
        requestLog("hapi.fhir.logger.format", rest.logger().format());
        requestLog("hapi.fhir.logger.error_format", rest.logger().errorFormat());
    }

    private void requestLog(String key, String format) {
        Matcher placeholders = PLACEHOLDER.matcher(format == null ? "" : format);
        while (placeholders.find()) {
            if (!HARMLESS.contains(placeholders.group(1))) {
                refuse(key, placeholders.group() + " may put health data or secrets into the log");
            }
        }
    }
}
