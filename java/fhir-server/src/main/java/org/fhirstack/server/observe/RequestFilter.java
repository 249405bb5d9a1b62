package org.fhirstack.server.observe;

import io.micrometer.core.instrument.MeterRegistry;
import jakarta.servlet.FilterChain;
import jakarta.servlet.ServletException;
import jakarta.servlet.http.HttpFilter;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;
import java.io.Serial;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One line and one timing a request. The line has the path and never the query or the body: both carry health data. The
 * timing ({@code http.server.requests}) has method, status and outcome and never the path, which would make a series an id.
 */
class RequestFilter extends HttpFilter {
    @Serial
    private static final long serialVersionUID = 1L;

    private static final Logger ACCESS = LoggerFactory.getLogger("access");
    private static final Set<String> METHODS = Set.of("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS");

    private final transient MeterRegistry registry;

    RequestFilter(MeterRegistry registry) {
        this.registry = registry;
    }

    @Override
    protected void doFilter(HttpServletRequest request, HttpServletResponse response, FilterChain chain)
            throws IOException, ServletException {
        long start = System.nanoTime();
        boolean answered = false;
        try {
            chain.doFilter(request, response);
            answered = true;
        } finally {
            record(request, answered ? response.getStatus() : 500, System.nanoTime() - start);
        }
    }

    private void record(HttpServletRequest request, int status, long nanos) {
        String method = METHODS.contains(request.getMethod()) ? request.getMethod() : "OTHER";
        registry.timer(
                        "http.server.requests",
                        "method",
                        method,
                        "status",
                        Integer.toString(status),
                        "outcome",
                        Outcome.of(status))
                .record(nanos, TimeUnit.NANOSECONDS);
        // the URI is still percent-encoded here: it cannot break the line
        ACCESS.info(
                "{} {} {} {}ms", method, request.getRequestURI(), status, TimeUnit.NANOSECONDS.toMillis(nanos));
    }
}
