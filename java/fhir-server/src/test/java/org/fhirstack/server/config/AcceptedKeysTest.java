package org.fhirstack.server.config;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import org.junit.jupiter.api.Test;

class AcceptedKeysTest {
    private final AcceptedKeys keys = new AcceptedKeys();

    @Test
    void hapiKeysAreThoseOfTheRecordsInTheStartersSpelling() {
        assertThat(List.copyOf(AcceptedKeys.hapiKeys()))
                .isSorted()
                .contains(
                        "hapi.fhir.server_address",
                        "hapi.fhir.cors.allowed_origin",
                        "hapi.fhir.subscription.resthook_enabled",
                        "hapi.fhir.use_apache_address_strategy_https")
                .doesNotHaveDuplicates()
                .allMatch(key -> key.matches("hapi\\.fhir(\\.[a-z_]+)+"));
    }

    @Test
    void whatIsRefusedIsNotAlsoAKeyOfTheCode() {
        assertThat(AcceptedKeys.hapiKeys())
                .allSatisfy(key -> assertThat(keys.find(key))
                        .hasValueSatisfying(setting -> assertThat(setting.rule()).isEqualTo(Setting.Rule.ACCEPT)));
    }

    @Test
    void aRuleForAllBelowYieldsToOneForTheKey() {
        assertThat(keys.find("spring.flyway.enabled")).get().extracting(Setting::rule).isEqualTo(Setting.Rule.ONLY);
        assertThat(keys.find("spring.flyway.url")).get().extracting(Setting::rule).isEqualTo(Setting.Rule.REFUSE);
    }

    @Test
    void theLoginIsGivenOnce() {
        assertThat(keys.find("spring.datasource.hikari.maximumPoolSize")).isPresent();
        assertThat(keys.find("spring.datasource.hikari.username")).isEmpty();
        assertThat(keys.find("spring.datasource.hikari.jdbc-url")).isEmpty();
    }

    @Test
    void nearestIsSilentWhenNothingIsNear() {
        assertThat(keys.nearest("hapi.fhir.default_page_sise")).contains("hapi.fhir.default_page_size");
        assertThat(keys.nearest("completely.different")).isEmpty();
    }
}
