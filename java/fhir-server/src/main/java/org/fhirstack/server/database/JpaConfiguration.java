package org.fhirstack.server.database;

import ca.uhn.fhir.context.FhirContext;
import ca.uhn.fhir.jpa.api.config.JpaStorageSettings;
import ca.uhn.fhir.jpa.config.HibernatePropertiesProvider;
import ca.uhn.fhir.jpa.model.dialect.HapiFhirPostgresDialect;
import ca.uhn.fhir.rest.server.util.ISearchParamRegistry;
import jakarta.persistence.EntityManagerFactory;
import java.util.Map;
import java.util.Properties;
import javax.sql.DataSource;
import org.hibernate.dialect.Dialect;
import org.hibernate.engine.spi.SessionFactoryImplementor;
import org.springframework.beans.factory.ObjectProvider;
import org.springframework.beans.factory.config.ConfigurableListableBeanFactory;
import org.springframework.boot.context.properties.bind.Bindable;
import org.springframework.boot.context.properties.bind.Binder;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.context.annotation.Primary;
import org.springframework.core.env.Environment;
import org.springframework.orm.jpa.JpaTransactionManager;
import org.springframework.transaction.annotation.EnableTransactionManagement;

/** Hibernate on the pool that Spring Boot makes from {@code spring.datasource.*}. */
@Configuration(proxyBeanMethods = false)
@EnableTransactionManagement
public class JpaConfiguration {
    /** The name that HAPI's own configurations use. */
    static final String PERSISTENCE_UNIT = "HAPI_PU";

    @Bean
    static LazyRepositories lazyRepositories() {
        return new LazyRepositories();
    }

    @Bean
    SchemaVersion schemaVersion(DataSource dataSource) {
        return new SchemaVersion(dataSource);
    }

    @Bean
    @Primary
    VersionedEntityManagerFactory entityManagerFactory(
            DataSource dataSource,
            ConfigurableListableBeanFactory beans,
            FhirContext context,
            JpaStorageSettings settings,
            SchemaVersion version,
            Environment environment) {
        VersionedEntityManagerFactory factory =
                new VersionedEntityManagerFactory(beans, context, settings, version);
        factory.setPersistenceUnitName(PERSISTENCE_UNIT);
        factory.setDataSource(dataSource);
        factory.setJpaProperties(hibernateProperties(environment));
        return factory;
    }

    /** The keys under {@code spring.jpa.properties}, ours first and the operator's over them. */
    static Properties hibernateProperties(Environment environment) {
        Map<String, String> given = Binder.get(environment)
                .bind("spring.jpa.properties", Bindable.mapOf(String.class, String.class))
                .orElse(Map.of());
        Properties properties = new Properties();
        properties.putAll(given);
        return properties;
    }

    @Bean
    @Primary
    JpaTransactionManager transactionManager(EntityManagerFactory factory) {
        return new JpaTransactionManager(factory);
    }

    @Bean
    StoredValueCheck storedValueCheck(EntityManagerFactory factory, ObjectProvider<ISearchParamRegistry> searches) {
        return StoredValueCheck.of(factory.unwrap(SessionFactoryImplementor.class), searches::getObject);
    }

    /** HAPI would make one from the properties of the factory, which is too early to ask for. */
    @Bean
    @Primary
    HibernatePropertiesProvider hibernatePropertiesProvider(DataSource dataSource) {
        Dialect dialect = new HapiFhirPostgresDialect();
        return new HibernatePropertiesProvider() {
            @Override
            public Dialect getDialect() {
                return dialect;
            }

            @Override
            public DataSource getDataSource() {
                return dataSource;
            }
        };
    }
}
