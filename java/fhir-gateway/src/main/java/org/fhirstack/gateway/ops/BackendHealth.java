package org.fhirstack.gateway.ops;

import java.util.Map;
import org.fhirstack.gateway.Refusal;
import org.fhirstack.gateway.access.Outgoing;
import org.fhirstack.gateway.proxy.Backend;
import org.fhirstack.gateway.request.Query;
import org.springframework.boot.actuate.health.Health;
import org.springframework.boot.actuate.health.HealthIndicator;

/**
 * Whether the backend answers, asked in the background. It is asked for a resource that does not exist: that is cheap,
 * and it fails when the backend's database does.
 */
public final class BackendHealth implements HealthIndicator {
    private static final long PAUSE_MS = 5_000;
    private final Backend backend;
    private volatile String state = "not asked yet";

    public BackendHealth(Backend backend) {
        this.backend = backend;
    }

    public void start() {
        Thread thread = new Thread(this::keepAsking, "backend-health");
        thread.setDaemon(true);
        thread.start();
    }

    private void keepAsking() {
        try {
            while (true) {
                state = ask();
                Thread.sleep(state.isEmpty() ? PAUSE_MS : PAUSE_MS / 5);
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private String ask() {
        try (Backend.Answer answer = backend.send(Outgoing.get("Basic/gateway-readiness", Query.EMPTY), Map.of())) {
            return answer.status() == 200 || answer.status() == 404 || answer.status() == 410 ? ""
                    : "answers " + answer.status();
        } catch (Refusal refusal) {
            return refusal.reason();
        } catch (RuntimeException e) {
            return "error";
        }
    }

    @Override
    public Health health() {
        String now = state;
        return now.isEmpty() ? Health.up().build() : Health.down().withDetail("backend", now).build();
    }
}
