package org.fhirstack.server.fhir;

import ca.uhn.fhir.rest.server.RestfulServer;
import jakarta.servlet.ServletConfig;
import jakarta.servlet.ServletException;
import jakarta.servlet.http.HttpServletResponse;
import java.util.List;
import java.util.function.Consumer;

/**
 * HAPI's servlet, filled when the container initialises it. By then the storage below is up, so a failure there is
 * reported as itself and not as a failure of the container.
 */
public class FhirServlet extends RestfulServer {
    private final transient Consumer<RestfulServer> assembly;
    private volatile boolean ready;

    FhirServlet(Consumer<RestfulServer> assembly) {
        this.assembly = assembly;
    }

    @Override
    protected void initialize() {
        assembly.accept(this);
    }

    @Override
    public void init(ServletConfig config) throws ServletException {
        super.init(config);
        ready = true;
    }

    /** Whether requests are answered: false until {@link #init(ServletConfig)} has ended. */
    public boolean isReady() {
        return ready;
    }

    /** No version is told to the world. */
    @Override
    public void addHeadersToResponse(HttpServletResponse response) {
        // HAPI would add X-Powered-By
    }

    @Override
    protected List<String> createPoweredByAttributes() {
        return List.of();
    }
}
