package org.fhirstack.server.observe;

import ca.uhn.fhir.context.FhirContext;
import ca.uhn.fhir.interceptor.api.Hook;
import ca.uhn.fhir.interceptor.api.Interceptor;
import ca.uhn.fhir.interceptor.api.Pointcut;
import ca.uhn.fhir.rest.api.server.RequestDetails;
import ca.uhn.fhir.rest.server.servlet.ServletRequestDetails;
import io.micrometer.core.instrument.MeterRegistry;

/**
 * Counts FHIR operations as {@code fhir.operations} by operation, resource type and outcome. All three have few values:
 * what the client made up is counted as {@code none}.
 */
@Interceptor
public class OperationCounter {
    private final MeterRegistry registry;

    OperationCounter(MeterRegistry registry) {
        this.registry = registry;
    }

    /** Called for every request that reached HAPI, failed ones too. */
    @Hook(Pointcut.SERVER_PROCESSING_COMPLETED)
    public void completed(RequestDetails request, ServletRequestDetails servletRequest) {
        int status = servletRequest == null
                ? 200
                : servletRequest.getServletResponse().getStatus();
        registry.counter(
                        "fhir.operations",
                        "operation",
                        operation(request),
                        "resource",
                        resource(request),
                        "outcome",
                        Outcome.of(status))
                .increment();
    }

    private static String operation(RequestDetails request) {
        return request.getRestOperationType() == null
                ? "none"
                : request.getRestOperationType().getCode();
    }

    private static String resource(RequestDetails request) {
        String name = request.getResourceName();
        FhirContext context = request.getFhirContext();
        return name != null && context.getResourceTypes().contains(name) ? name : "none";
    }
}
