package org.fhirstack.gateway.proxy;

import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.util.Set;
import org.fhirstack.gateway.Refusal;

/** Lets browsers at exactly these origins use the gateway; without any, at none. */
public final class Cors {
    private final Set<String> origins;

    public Cors(Set<String> origins) {
        this.origins = origins;
    }

    void mark(HttpServletRequest request, HttpServletResponse response) {
        if (origins.isEmpty()) {
            return;
        }
        response.addHeader("Vary", "Origin");
        String origin = request.getHeader("Origin");
        if (origin != null && origins.contains(origin)) {
            response.setHeader("Access-Control-Allow-Origin", origin);
            response.setHeader("Access-Control-Expose-Headers",
                    "Location, Content-Location, ETag, Last-Modified, Warning, X-Request-Id");
        }
    }

    void preflight(HttpServletRequest request, HttpServletResponse response) {
        String origin = request.getHeader("Origin");
        if (origin == null || !origins.contains(origin)) {
            throw Refusal.denied("cors", "This origin is not allowed.");
        }
        response.setHeader("Access-Control-Allow-Methods", "GET, HEAD, POST, PUT, DELETE");
        response.setHeader("Access-Control-Allow-Headers", "Authorization, Content-Type, Accept, Prefer, If-Match, "
                + "If-None-Match, If-None-Exist, If-Modified-Since, Cache-Control, X-Request-Id");
        response.setHeader("Access-Control-Max-Age", "600");
        response.setStatus(204);
    }
}
