package org.fhirstack.gateway.ops;

import io.micrometer.core.instrument.Counter;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.Timer;
import java.util.concurrent.TimeUnit;
import org.fhirstack.gateway.Refusal;
import org.fhirstack.gateway.request.FhirUrl;
import org.fhirstack.gateway.token.User;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The access log and the request metrics. A line says who did what to which resource and why it was allowed or not;
 * never parameter values, bodies or tokens.
 */
public final class Requests {
    private static final Logger ACCESS = LoggerFactory.getLogger("access");
    private final MeterRegistry metrics;

    public Requests(MeterRegistry metrics) {
        this.metrics = metrics;
    }

    /** One request on its way. */
    public static final class Entry {
        private final String id;
        private final String method;
        private final long start = System.nanoTime();
        private FhirUrl url;
        private User user;
        private String reason = "-";
        private String place = "";

        Entry(String id, String method) {
            this.id = id;
            this.method = method.matches("[A-Z]{1,10}") ? method : "OTHER";
        }

        public String id() {
            return id;
        }

        public void target(FhirUrl url) {
            this.url = url;
        }

        public void user(User user) {
            this.user = user;
        }

        public void reason(String reason) {
            this.reason = reason;
        }

        public void refused(Refusal refusal) {
            this.reason = refusal.reason();
            this.place = refusal.place();
        }

        private String type() {
            return url == null ? "none" : url.type() == null ? url.kind().name().toLowerCase(java.util.Locale.ROOT)
                    : url.type();
        }

        private String client() {
            return user == null ? "anonymous" : user.client().name().toLowerCase(java.util.Locale.ROOT);
        }
    }

    public Entry start(String id, String method) {
        return new Entry(id, method);
    }

    public void end(Entry e, int status) {
        long nanos = System.nanoTime() - e.start;
        String outcome = status < 400 ? "ok" : status < 500 ? "refused" : "failed";
        Timer.builder("fhir.gateway.requests").description("Requests and how long they took")
                .tag("method", e.method).tag("type", e.type()).tag("client", e.client()).tag("outcome", outcome)
                .tag("status", String.valueOf(status)).register(metrics).record(nanos, TimeUnit.NANOSECONDS);
        Counter.builder("fhir.gateway.decisions").description("Why requests were served or refused")
                .tag("reason", e.reason).register(metrics).increment();
        if (ACCESS.isInfoEnabled()) {
            ACCESS.info("request={} sub={} client={} method={} target={} status={} ms={} reason={}{}", e.id,
                    e.user == null ? "-" : e.user.sub().replaceAll("[^A-Za-z0-9._:@-]", "_"), e.client(), e.method,
                    e.url == null ? "-" : "/" + e.url.path(), status, nanos / 1_000_000, e.reason,
                    e.place.isEmpty() ? "" : " at=" + e.place);
        }
    }
}
