package org.fhirstack.server.observe;

import org.fhirstack.server.fhir.FhirServlet;
import org.springframework.boot.actuate.health.Health;
import org.springframework.boot.actuate.health.HealthIndicator;

/** UP when the FHIR servlet has been initialised. */
class FhirHealth implements HealthIndicator {
    private final FhirServlet servlet;

    FhirHealth(FhirServlet servlet) {
        this.servlet = servlet;
    }

    @Override
    public Health health() {
        return servlet.isReady() ? Health.up().build() : Health.down().build();
    }
}
