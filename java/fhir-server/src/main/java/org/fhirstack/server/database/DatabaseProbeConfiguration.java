package org.fhirstack.server.database;

import org.springframework.boot.autoconfigure.jdbc.DataSourceProperties;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;

/** The probe uses the pool's address and login. */
@Configuration(proxyBeanMethods = false)
public class DatabaseProbeConfiguration {

    @Bean
    DatabaseProbe databaseProbe(DataSourceProperties properties) {
        return new DatabaseProbe(properties.getUrl(), properties.getUsername(), properties.getPassword());
    }
}
