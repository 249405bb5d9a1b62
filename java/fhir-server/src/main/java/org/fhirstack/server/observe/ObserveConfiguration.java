package org.fhirstack.server.observe;

import com.zaxxer.hikari.HikariDataSource;
import io.micrometer.core.instrument.MeterRegistry;
import org.fhirstack.server.database.DatabaseProbe;
import org.fhirstack.server.fhir.FhirServlet;
import org.springframework.boot.web.servlet.FilterRegistrationBean;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.core.Ordered;

/** Health, metrics and the access log. */
@Configuration(proxyBeanMethods = false)
public class ObserveConfiguration {

    /** Appears as {@code db}. */
    @Bean
    DatabaseHealth dbHealthIndicator(DatabaseProbe probe, HikariDataSource pool) {
        return new DatabaseHealth(probe, pool);
    }

    /** Appears as {@code fhir}. */
    @Bean
    FhirHealth fhirHealthIndicator(FhirServlet servlet) {
        return new FhirHealth(servlet);
    }

    @Bean
    OperationCounter operationCounter(MeterRegistry registry) {
        return new OperationCounter(registry);
    }

    /** Outermost, so that what other filters refuse is seen too. */
    @Bean
    FilterRegistrationBean<RequestFilter> requestFilter(MeterRegistry registry) {
        FilterRegistrationBean<RequestFilter> registration = new FilterRegistrationBean<>(new RequestFilter(registry));
        registration.setOrder(Ordered.HIGHEST_PRECEDENCE);
        return registration;
    }
}
