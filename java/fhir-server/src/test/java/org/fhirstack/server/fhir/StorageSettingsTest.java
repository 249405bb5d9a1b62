package org.fhirstack.server.fhir;

import static org.assertj.core.api.Assertions.assertThat;

import ca.uhn.fhir.jpa.api.config.JpaStorageSettings;
import ca.uhn.fhir.jpa.api.config.JpaStorageSettings.ClientIdStrategyEnum;
import ca.uhn.fhir.jpa.api.config.JpaStorageSettings.IdStrategyEnum;
import ca.uhn.fhir.rest.server.ApacheProxyAddressStrategy;
import ca.uhn.fhir.rest.server.HardcodedServerAddressStrategy;
import ca.uhn.fhir.rest.server.IncomingRequestAddressStrategy;
import java.util.Map;
import org.fhirstack.server.config.Environments;
import org.fhirstack.server.config.RestProperties;
import org.fhirstack.server.config.SearchProperties;
import org.fhirstack.server.config.StorageProperties;
import org.junit.jupiter.api.Test;
import org.springframework.boot.context.properties.bind.Binder;
import org.springframework.core.env.Environment;

/** From the file to HAPI's settings. */
class StorageSettingsTest {

    private static Environment file(String yaml) {
        return Environments.of(yaml, Map.of());
    }

    private static <T> T bind(String yaml, Class<T> type) {
        return Binder.get(file(yaml)).bindOrCreate("hapi.fhir", type);
    }

    private static JpaStorageSettings settings(String yaml) {
        return StorageSettings.of(bind(yaml, StorageProperties.class), bind(yaml, SearchProperties.class));
    }

    @Test
    void nothingIsDestroyedByDefault() {
        JpaStorageSettings settings = settings("");
        assertThat(settings.isExpungeEnabled()).isFalse();
        assertThat(settings.isDeleteExpungeEnabled()).isFalse();
        assertThat(settings.isAllowMultipleDelete()).isFalse();
        assertThat(settings.isEnforceReferentialIntegrityOnDelete()).isTrue();
        assertThat(settings.isEnforceReferentialIntegrityOnWrite()).isTrue();
        assertThat(settings.isAllowExternalReferences()).isFalse();
    }

    @Test
    void clientsThatChooseAnyIdNeedServerIdsThatCannotMeetThem() {
        JpaStorageSettings settings = settings("hapi.fhir.client_id_strategy: ANY");
        assertThat(settings.getResourceClientIdStrategy()).isEqualTo(ClientIdStrategyEnum.ANY);
        assertThat(settings.getResourceServerIdStrategy()).isEqualTo(IdStrategyEnum.UUID);
        assertThat(settings("").getResourceServerIdStrategy()).isEqualTo(IdStrategyEnum.SEQUENTIAL_NUMERIC);
    }

    @Test
    void zeroMeansNeverReuseASearch() {
        assertThat(settings("hapi.fhir.reuse_cached_search_results_millis: 0").getReuseCachedSearchResultsForMillis())
                .isNull();
        assertThat(settings("").getReuseCachedSearchResultsForMillis()).isEqualTo(60_000L);
        assertThat(settings("hapi.fhir.retain_cached_searches_mins: 2").getExpireSearchResultsAfterMillis())
                .isEqualTo(120_000L);
    }

    @Test
    void listsAndNestedKeysAreBound() {
        RestProperties rest = bind(
                """
                hapi.fhir:
                  supported_resource_types: [Patient, Task]
                  cors:
                    allow_Credentials: false
                    allowed_origin: ["https://a.example", "https://b.example"]
                  validation.requests_enabled: true
                """,
                RestProperties.class);
        assertThat(rest.supportedResourceTypes()).containsExactly("Patient", "Task");
        assertThat(rest.cors().allowCredentials()).isFalse();
        assertThat(rest.cors().allowedOrigin()).containsExactly("https://a.example", "https://b.example");
        assertThat(rest.validation().requestsEnabled()).isTrue();
        assertThat(rest.validation().responsesEnabled()).isFalse();
    }

    @Test
    void withoutACorsSectionThereAreNoCorsHeaders() {
        assertThat(bind("", RestProperties.class).cors()).isNull();
    }

    @Test
    void theOwnAddressIsTheOneGiven() {
        assertThat(addresses("hapi.fhir.server_address: https://f.example/fhir"))
                .isInstanceOf(HardcodedServerAddressStrategy.class);
        assertThat(addresses("hapi.fhir.use_apache_address_strategy: true"))
                .isInstanceOf(ApacheProxyAddressStrategy.class);
        assertThat(addresses("")).isExactlyInstanceOf(IncomingRequestAddressStrategy.class);
    }

    private static Object addresses(String yaml) {
        return FhirAssembly.addresses(bind(yaml, RestProperties.class));
    }
}
