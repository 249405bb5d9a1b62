package org.fhirstack.gateway.config;

import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.binder.cache.CaffeineCacheMetrics;
import java.time.Clock;
import org.apache.catalina.core.StandardHost;
import org.fhirstack.gateway.access.PageLinks;
import org.fhirstack.gateway.access.PermissionAccessChecker;
import org.fhirstack.gateway.custom.CustomEndpoints;
import org.fhirstack.gateway.ops.BackendHealth;
import org.fhirstack.gateway.ops.IssuerHealth;
import org.fhirstack.gateway.ops.Requests;
import org.fhirstack.gateway.proxy.Backend;
import org.fhirstack.gateway.proxy.Bases;
import org.fhirstack.gateway.proxy.BodyReader;
import org.fhirstack.gateway.proxy.Connection;
import org.fhirstack.gateway.proxy.Cors;
import org.fhirstack.gateway.proxy.Deliveries;
import org.fhirstack.gateway.proxy.Forwarder;
import org.fhirstack.gateway.proxy.GatewayServlet;
import org.fhirstack.gateway.proxy.Turns;
import org.fhirstack.gateway.proxy.OutcomeValve;
import org.fhirstack.gateway.sync.Assignments;
import org.fhirstack.gateway.sync.Changes;
import org.fhirstack.gateway.sync.Existing;
import org.fhirstack.gateway.sync.Lookups;
import org.fhirstack.gateway.sync.SyncFilters;
import org.fhirstack.gateway.token.IssuerKeys;
import org.fhirstack.gateway.token.Tokens;
import org.springframework.beans.factory.annotation.Value;
import org.springframework.boot.SpringBootConfiguration;
import org.springframework.boot.actuate.autoconfigure.availability.AvailabilityHealthContributorAutoConfiguration;
import org.springframework.boot.actuate.autoconfigure.availability.AvailabilityProbesAutoConfiguration;
import org.springframework.boot.actuate.autoconfigure.endpoint.EndpointAutoConfiguration;
import org.springframework.boot.actuate.autoconfigure.endpoint.web.WebEndpointAutoConfiguration;
import org.springframework.boot.actuate.autoconfigure.health.HealthContributorAutoConfiguration;
import org.springframework.boot.actuate.autoconfigure.health.HealthEndpointAutoConfiguration;
import org.springframework.boot.actuate.autoconfigure.metrics.CompositeMeterRegistryAutoConfiguration;
import org.springframework.boot.actuate.autoconfigure.metrics.JvmMetricsAutoConfiguration;
import org.springframework.boot.actuate.autoconfigure.metrics.MetricsAutoConfiguration;
import org.springframework.boot.actuate.autoconfigure.metrics.SystemMetricsAutoConfiguration;
import org.springframework.boot.actuate.autoconfigure.metrics.export.prometheus.PrometheusMetricsExportAutoConfiguration;
import org.springframework.boot.actuate.autoconfigure.web.server.ManagementContextAutoConfiguration;
import org.springframework.boot.actuate.autoconfigure.web.servlet.ServletManagementContextAutoConfiguration;
import org.springframework.boot.autoconfigure.ImportAutoConfiguration;
import org.springframework.boot.autoconfigure.availability.ApplicationAvailabilityAutoConfiguration;
import org.springframework.boot.autoconfigure.context.ConfigurationPropertiesAutoConfiguration;
import org.springframework.boot.autoconfigure.context.LifecycleAutoConfiguration;
import org.springframework.boot.autoconfigure.context.PropertyPlaceholderAutoConfiguration;
import org.springframework.boot.autoconfigure.http.HttpMessageConvertersAutoConfiguration;
import org.springframework.boot.autoconfigure.jackson.JacksonAutoConfiguration;
import org.springframework.boot.autoconfigure.web.embedded.EmbeddedWebServerFactoryCustomizerAutoConfiguration;
import org.springframework.boot.autoconfigure.web.servlet.DispatcherServletAutoConfiguration;
import org.springframework.boot.autoconfigure.web.servlet.ServletWebServerFactoryAutoConfiguration;
import org.springframework.boot.autoconfigure.web.servlet.WebMvcAutoConfiguration;
import org.springframework.boot.web.embedded.tomcat.TomcatServletWebServerFactory;
import org.springframework.boot.web.server.WebServerFactoryCustomizer;
import org.springframework.boot.web.servlet.ServletRegistrationBean;
import org.springframework.context.annotation.Bean;
import org.springframework.util.unit.DataSize;

/** Puts the parts together. */
@SpringBootConfiguration(proxyBeanMethods = false)
@ImportAutoConfiguration({PropertyPlaceholderAutoConfiguration.class, ConfigurationPropertiesAutoConfiguration.class,
    LifecycleAutoConfiguration.class, ApplicationAvailabilityAutoConfiguration.class, JacksonAutoConfiguration.class,
    HttpMessageConvertersAutoConfiguration.class, ServletWebServerFactoryAutoConfiguration.class,
    EmbeddedWebServerFactoryCustomizerAutoConfiguration.class, DispatcherServletAutoConfiguration.class,
    WebMvcAutoConfiguration.class, EndpointAutoConfiguration.class, WebEndpointAutoConfiguration.class,
    ManagementContextAutoConfiguration.class, ServletManagementContextAutoConfiguration.class,
    HealthContributorAutoConfiguration.class, HealthEndpointAutoConfiguration.class,
    AvailabilityHealthContributorAutoConfiguration.class, AvailabilityProbesAutoConfiguration.class,
    MetricsAutoConfiguration.class, CompositeMeterRegistryAutoConfiguration.class,
    PrometheusMetricsExportAutoConfiguration.class, JvmMetricsAutoConfiguration.class,
    SystemMetricsAutoConfiguration.class})
public class GatewayConfiguration {

    @Bean(destroyMethod = "close")
    Backend backend(Settings settings, MeterRegistry metrics) {
        return new Backend(settings.proxyTo(), metrics);
    }

    @Bean
    IssuerKeys issuerKeys(Settings settings, Backend backend, MeterRegistry metrics) {
        IssuerKeys keys = new IssuerKeys(settings.issuer(), settings.wellKnown(), backend::fetch, Clock.systemUTC());
        Gauge.builder("fhir.gateway.issuer.keys.age", keys, IssuerKeys::ageSeconds).baseUnit("seconds")
                .description("Time since the issuer's keys were fetched").register(metrics);
        keys.start();
        return keys;
    }

    @Bean
    Tokens tokens(Settings settings, IssuerKeys keys, MeterRegistry metrics) {
        Tokens tokens = new Tokens(settings.issuer(), settings.tokenClients(), keys, Clock.systemUTC());
        CaffeineCacheMetrics.monitor(metrics, tokens.cache(), "tokens");
        return tokens;
    }

    @Bean
    Changes changes() {
        return new Changes();
    }

    @Bean
    Lookups lookups(Backend backend) {
        return new Lookups(backend::lookup);
    }

    @Bean
    SyncFilters syncFilters(Settings settings, Lookups lookups, Changes changes, MeterRegistry metrics) {
        SyncFilters filters = new SyncFilters(new Assignments(lookups), settings.tagSystems(), settings.filterCache(),
                changes);
        CaffeineCacheMetrics.monitor(metrics, filters.cache(), "sync-filters");
        return filters;
    }

    @Bean
    CustomEndpoints customEndpoints(Settings settings, Lookups lookups, Changes changes, MeterRegistry metrics) {
        CustomEndpoints custom = new CustomEndpoints(lookups, new Assignments(lookups), settings.tagSystems(),
                changes, settings.filterCache());
        custom.caches().forEach((name, cache) -> CaffeineCacheMetrics.monitor(metrics, cache, name));
        return custom;
    }

    @Bean
    BackendHealth backendHealth(Backend backend) {
        BackendHealth health = new BackendHealth(backend);
        health.start();
        return health;
    }

    @Bean
    IssuerHealth issuerHealth(IssuerKeys keys) {
        return new IssuerHealth(keys);
    }

    @Bean
    ServletRegistrationBean<GatewayServlet> gatewayServlet(Settings settings, Backend backend, IssuerKeys keys,
            Tokens tokens, SyncFilters filters, CustomEndpoints custom, Changes changes, MeterRegistry metrics,
            @Value("${gateway.max-body}") DataSize longestBody, @Value("${gateway.max-bodies}") DataSize allBodies,
            @Value("${gateway.max-writes}") int writesAtOnce, @Value("${gateway.max-answers}") DataSize allAnswers,
            @Value("${server.tomcat.threads.max}") int workers) {
        PageLinks links = new PageLinks(settings.pageSecret());
        PermissionAccessChecker.Services services = new PermissionAccessChecker.Services(settings.allowList(),
                settings.ignoreRules(), filters, new Existing(backend::lookup), links);
        Forwarder forwarder = new Forwarder(backend, settings.proxyTo(), changes, settings.ignoreRules(), links);
        GatewayServlet servlet = new GatewayServlet(tokens, keys, services,
                new BodyReader((int) longestBody.toBytes(), (int) allBodies.toBytes()), new Turns(writesAtOnce), forwarder,
                new Deliveries(allAnswers.toBytes(), workers), custom,
                new Bases(settings.publicBase(), settings.alternateBases()),
                new Cors(settings.corsOrigins()), new Requests(metrics));
        ServletRegistrationBean<GatewayServlet> registration = new ServletRegistrationBean<>(servlet, "/*");
        registration.setLoadOnStartup(1);
        return registration;
    }

    @Bean
    WebServerFactoryCustomizer<TomcatServletWebServerFactory> connections() {
        return factory -> factory.addContextValves(new Connection.Valve());
    }

    /** Errors that Tomcat finds before any servlet must not tell what runs here. */
    @Bean
    WebServerFactoryCustomizer<TomcatServletWebServerFactory> quietErrors() {
        return factory -> factory.addContextCustomizers(context -> {
            if (context.getParent() instanceof StandardHost host) {
                host.setErrorReportValveClass(OutcomeValve.class.getName());
            }
        });
    }
}
