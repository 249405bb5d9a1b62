package org.fhirstack.server.fhir;

import org.fhirstack.server.config.RestProperties;
import org.fhirstack.server.config.StorageProperties;
import org.fhirstack.server.config.SubscriptionProperties;
import org.fhirstack.server.observe.OperationCounter;
import org.springframework.beans.factory.BeanFactory;
import org.springframework.boot.web.servlet.ServletRegistrationBean;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;

/** FHIR at {@code /fhir/*}, the path of the hapiproject/hapi image. */
@Configuration(proxyBeanMethods = false)
public class FhirServletConfiguration {

    @Bean
    FhirServlet fhirServlet(BeanFactory beans, RestProperties rest, SubscriptionProperties subscriptions) {
        return new FhirServlet(new FhirAssembly(beans, rest, subscriptions));
    }

    @Bean
    FhirInterceptors fhirInterceptors(
            BeanFactory beans, RestProperties rest, StorageProperties storage, OperationCounter operations) {
        return new FhirInterceptors(beans, rest, storage, operations);
    }

    /** Initialised at start and not by the first request: readiness waits for it. */
    @Bean
    ServletRegistrationBean<FhirServlet> fhirServletRegistration(FhirServlet servlet) {
        ServletRegistrationBean<FhirServlet> registration = new ServletRegistrationBean<>(servlet, "/fhir/*");
        registration.setName("fhir");
        registration.setLoadOnStartup(1);
        return registration;
    }
}
