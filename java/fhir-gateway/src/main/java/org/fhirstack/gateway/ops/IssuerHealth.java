package org.fhirstack.gateway.ops;

import org.fhirstack.gateway.token.IssuerKeys;
import org.springframework.boot.actuate.health.Health;
import org.springframework.boot.actuate.health.HealthIndicator;

/** Whether tokens can be verified now. */
public final class IssuerHealth implements HealthIndicator {
    private final IssuerKeys keys;

    public IssuerHealth(IssuerKeys keys) {
        this.keys = keys;
    }

    @Override
    public Health health() {
        double age = keys.ageSeconds();
        Health.Builder health = keys.usable() ? Health.up() : Health.down();
        return Double.isNaN(age) ? health.withDetail("keys", "never fetched").build()
                : health.withDetail("ageSeconds", Math.round(age)).build();
    }
}
