package org.fhirstack.server.database;

import ca.uhn.fhir.context.FhirContext;
import ca.uhn.fhir.jpa.api.config.JpaStorageSettings;
import ca.uhn.fhir.jpa.config.HapiFhirLocalContainerEntityManagerFactoryBean;
import ca.uhn.fhir.jpa.config.util.HapiEntityManagerFactoryUtil;
import jakarta.persistence.PersistenceException;
import java.io.Serial;
import java.util.Map;
import org.hibernate.cfg.AvailableSettings;
import org.springframework.beans.factory.config.ConfigurableListableBeanFactory;

/**
 * Lets Hibernate compare the schema with the entities only when this version of HAPI has not done so on this database:
 * the comparison is a good part of a start. Two servers that start together take turns.
 */
public class VersionedEntityManagerFactory extends HapiFhirLocalContainerEntityManagerFactoryBean {
    @Serial
    private static final long serialVersionUID = 1L;

    private final transient SchemaVersion version;

    VersionedEntityManagerFactory(
            ConfigurableListableBeanFactory beans,
            FhirContext context,
            JpaStorageSettings settings,
            SchemaVersion version) {
        super(beans);
        this.version = version;
        HapiEntityManagerFactoryUtil.configureEntityManagerFactory(this, context, settings);
    }

    @Override
    public void afterPropertiesSet() throws PersistenceException {
        Map<String, Object> properties = super.getJpaPropertyMap();
        String asked = String.valueOf(properties.getOrDefault(AvailableSettings.HBM2DDL_AUTO, "none"));
        try (SchemaVersion.Turn turn = version.begin(asked)) {
            super.getJpaPropertyMap().put(AvailableSettings.HBM2DDL_AUTO, turn.action());
            super.afterPropertiesSet();
            turn.done();
        }
    }
}
