package org.fhirstack.server.fhir;

import ca.uhn.fhir.interceptor.api.IInterceptorBroadcaster;
import ca.uhn.fhir.jpa.api.dao.DaoRegistry;
import ca.uhn.fhir.jpa.binary.interceptor.BinaryStorageInterceptor;
import ca.uhn.fhir.jpa.delete.ThreadSafeResourceDeleterSvc;
import ca.uhn.fhir.jpa.interceptor.CascadingDeleteInterceptor;
import ca.uhn.fhir.jpa.interceptor.UserRequestRetryVersionConflictsInterceptor;
import ca.uhn.fhir.rest.server.interceptor.CorsInterceptor;
import ca.uhn.fhir.rest.server.interceptor.FhirPathFilterInterceptor;
import ca.uhn.fhir.rest.server.interceptor.LoggingInterceptor;
import ca.uhn.fhir.rest.server.interceptor.RequestValidatingInterceptor;
import ca.uhn.fhir.rest.server.interceptor.ResponseValidatingInterceptor;
import ca.uhn.fhir.validation.IValidatorModule;
import ca.uhn.fhir.validation.ResultSeverityEnum;
import java.util.ArrayList;
import java.util.List;
import org.fhirstack.server.config.RestProperties;
import org.fhirstack.server.config.StorageProperties;
import org.fhirstack.server.observe.OperationCounter;
import org.springframework.beans.factory.BeanFactory;
import org.springframework.http.HttpHeaders;
import org.springframework.web.cors.CorsConfiguration;

/** The interceptors that the configuration asks for. */
class FhirInterceptors {
    private final BeanFactory beans;
    private final RestProperties rest;
    private final StorageProperties storage;
    private final OperationCounter operations;

    FhirInterceptors(BeanFactory beans, RestProperties rest, StorageProperties storage, OperationCounter operations) {
        this.beans = beans;
        this.rest = rest;
        this.storage = storage;
        this.operations = operations;
    }

    List<Object> all() {
        List<Object> all = new ArrayList<>();
        all.add(operations);
        all.add(new ClientFaults());
        all.add(new MetaLimits());
        if (rest.cors() != null) {
            all.add(new CorsInterceptor(cors(rest.cors())));
        }
        if (rest.logger().format() != null) {
            all.add(requestLog(rest.logger()));
        }
        if (rest.allowCascadingDeletes()) {
            all.add(new CascadingDeleteInterceptor(
                    beans.getBean(ca.uhn.fhir.context.FhirContext.class),
                    beans.getBean(DaoRegistry.class),
                    beans.getBean(IInterceptorBroadcaster.class),
                    beans.getBean(ThreadSafeResourceDeleterSvc.class)));
        }
        if (rest.binaryStorageEnabled()) {
            all.add(beans.getBean(BinaryStorageInterceptor.class));
        }
        if (rest.fhirpathInterceptorEnabled()) {
            all.add(new FhirPathFilterInterceptor());
        }
        if (storage.userRequestRetryVersionConflictsInterceptorEnabled()) {
            all.add(new UserRequestRetryVersionConflictsInterceptor());
        }
        addValidation(all);
        return all;
    }

    private void addValidation(List<Object> all) {
        if (rest.validation().requestsEnabled()) {
            RequestValidatingInterceptor requests = new RequestValidatingInterceptor();
            requests.setFailOnSeverity(ResultSeverityEnum.ERROR);
            requests.setValidatorModules(List.of(beans.getBean(IValidatorModule.class)));
            all.add(requests);
        }
        if (rest.validation().responsesEnabled()) {
            ResponseValidatingInterceptor responses = new ResponseValidatingInterceptor();
            responses.setFailOnSeverity(ResultSeverityEnum.ERROR);
            responses.setValidatorModules(List.of(beans.getBean(IValidatorModule.class)));
            all.add(responses);
        }
    }

    private static LoggingInterceptor requestLog(RestProperties.Logger logger) {
        LoggingInterceptor log = new LoggingInterceptor();
        log.setLoggerName(logger.name());
        log.setMessageFormat(logger.format());
        log.setErrorMessageFormat(logger.errorFormat());
        log.setLogExceptions(logger.logExceptions());
        return log;
    }

    /** Headers and methods are those of the starter. */
    static CorsConfiguration cors(RestProperties.Cors cors) {
        CorsConfiguration configuration = new CorsConfiguration();
        configuration.setAllowedHeaders(List.of(
                HttpHeaders.ORIGIN,
                HttpHeaders.ACCEPT,
                HttpHeaders.CONTENT_TYPE,
                HttpHeaders.AUTHORIZATION,
                HttpHeaders.CACHE_CONTROL,
                "X-Requested-With",
                "Prefer"));
        configuration.setExposedHeaders(List.of(HttpHeaders.LOCATION, HttpHeaders.CONTENT_LOCATION));
        configuration.setAllowedMethods(List.of("GET", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "HEAD"));
        configuration.setAllowedOriginPatterns(cors.allowedOrigin());
        configuration.setAllowCredentials(cors.allowCredentials());
        return configuration;
    }
}
