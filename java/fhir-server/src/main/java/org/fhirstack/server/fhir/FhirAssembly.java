package org.fhirstack.server.fhir;

import ca.uhn.fhir.batch2.jobs.export.BulkDataExportProvider;
import ca.uhn.fhir.batch2.jobs.bulkmodify.reindex.ReindexProvider;
import ca.uhn.fhir.context.FhirContext;
import ca.uhn.fhir.context.support.IValidationSupport;
import ca.uhn.fhir.jpa.api.config.JpaStorageSettings;
import ca.uhn.fhir.jpa.api.dao.DaoRegistry;
import ca.uhn.fhir.jpa.api.dao.IFhirSystemDao;
import ca.uhn.fhir.jpa.binary.provider.BinaryAccessProvider;
import ca.uhn.fhir.jpa.provider.IJpaSystemProvider;
import ca.uhn.fhir.jpa.provider.JpaCapabilityStatementProvider;
import ca.uhn.fhir.jpa.provider.SubscriptionTriggeringProvider;
import ca.uhn.fhir.jpa.provider.TerminologyUploaderProvider;
import ca.uhn.fhir.jpa.provider.ValueSetOperationProvider;
import ca.uhn.fhir.jpa.search.DatabaseBackedPagingProvider;
import ca.uhn.fhir.narrative.DefaultThymeleafNarrativeGenerator;
import ca.uhn.fhir.narrative2.NullNarrativeGenerator;
import ca.uhn.fhir.rest.server.ApacheProxyAddressStrategy;
import ca.uhn.fhir.rest.server.ETagSupportEnum;
import ca.uhn.fhir.rest.server.HardcodedServerAddressStrategy;
import ca.uhn.fhir.rest.server.IServerAddressStrategy;
import ca.uhn.fhir.rest.server.IncomingRequestAddressStrategy;
import ca.uhn.fhir.rest.server.RestfulServer;
import ca.uhn.fhir.rest.server.provider.ResourceProviderFactory;
import ca.uhn.fhir.rest.server.util.ISearchParamRegistry;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.function.Consumer;
import org.fhirstack.server.ExitCode;
import org.fhirstack.server.StartupException;
import org.fhirstack.server.config.RestProperties;
import org.fhirstack.server.config.SubscriptionProperties;
import org.springframework.beans.factory.BeanFactory;

/** Puts providers, paging, addresses and interceptors into the servlet, as {@code StarterJpaConfig} of the starter does. */
class FhirAssembly implements Consumer<RestfulServer> {
    private final BeanFactory beans;
    private final RestProperties rest;
    private final SubscriptionProperties subscriptions;

    FhirAssembly(BeanFactory beans, RestProperties rest, SubscriptionProperties subscriptions) {
        this.beans = beans;
        this.rest = rest;
        this.subscriptions = subscriptions;
    }

    @Override
    public void accept(RestfulServer server) {
        FhirContext context = beans.getBean(FhirContext.class);
        server.setFhirContext(context);
        limitResourceTypes(context);
        context.setNarrativeGenerator(
                rest.narrativeEnabled() ? new DefaultThymeleafNarrativeGenerator() : new NullNarrativeGenerator());
        registerProviders(server);
        server.setServerConformanceProvider(capabilities(server));
        server.setPagingProvider(beans.getBean(DatabaseBackedPagingProvider.class));
        server.setDefaultPrettyPrint(rest.defaultPrettyPrint());
        server.setDefaultResponseEncoding(rest.defaultEncoding());
        server.setETagSupport(rest.etagSupportEnabled() ? ETagSupportEnum.ENABLED : ETagSupportEnum.DISABLED);
        server.setServerAddressStrategy(addresses(rest));
        for (Object interceptor : beans.getBean(FhirInterceptors.class).all()) {
            server.registerInterceptor(interceptor);
        }
    }

    private void limitResourceTypes(FhirContext context) {
        if (rest.supportedResourceTypes().isEmpty()) {
            return;
        }
        Set<String> known = context.getResourceTypes();
        List<String> wanted = new ArrayList<>(rest.supportedResourceTypes());
        List<String> unknown = wanted.stream().filter(type -> !known.contains(type)).toList();
        if (!unknown.isEmpty()) {
            throw new StartupException(
                    ExitCode.CONFIGURATION, "hapi.fhir.supported_resource_types: not types of FHIR R4: " + unknown);
        }
        if (!wanted.contains("SearchParameter")) {
            wanted.add("SearchParameter"); // without it HAPI cannot read its own search parameters
        }
        beans.getBean(DaoRegistry.class).setSupportedResourceTypes(wanted);
    }

    private void registerProviders(RestfulServer server) {
        server.registerProviders(beans.getBean(ResourceProviderFactory.class).createProviders());
        server.registerProvider(beans.getBean(IJpaSystemProvider.class));
        server.registerProvider(beans.getBean(ValueSetOperationProvider.class));
        server.registerProvider(beans.getBean(TerminologyUploaderProvider.class));
        server.registerProvider(beans.getBean(ReindexProvider.class));
        if (subscriptions.resthookEnabled()) {
            server.registerProvider(beans.getBean(SubscriptionTriggeringProvider.class));
        }
        if (rest.bulkExportEnabled()) {
            server.registerProvider(beans.getBean(BulkDataExportProvider.class));
        }
        if (rest.binaryStorageEnabled()) {
            server.registerProvider(beans.getBean(BinaryAccessProvider.class));
        }
    }

    private JpaCapabilityStatementProvider capabilities(RestfulServer server) {
        JpaCapabilityStatementProvider provider = new JpaCapabilityStatementProvider(
                server,
                beans.getBean(IFhirSystemDao.class),
                beans.getBean(JpaStorageSettings.class),
                beans.getBean(ISearchParamRegistry.class),
                beans.getBean(IValidationSupport.class));
        provider.setImplementationDescription("FHIR R4 server");
        return provider;
    }

    /** The order is the starter's; asking for both is refused before, see the combination rules. */
    static IServerAddressStrategy addresses(RestProperties rest) {
        if (!rest.serverAddress().isEmpty()) {
            return new HardcodedServerAddressStrategy(rest.serverAddress());
        }
        if (rest.useApacheAddressStrategy()) {
            return rest.useApacheAddressStrategyHttps()
                    ? ApacheProxyAddressStrategy.forHttps()
                    : ApacheProxyAddressStrategy.forHttp();
        }
        return new IncomingRequestAddressStrategy();
    }
}
