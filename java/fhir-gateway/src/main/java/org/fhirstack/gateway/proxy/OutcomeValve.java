package org.fhirstack.gateway.proxy;

import java.io.IOException;
import org.apache.catalina.connector.Request;
import org.apache.catalina.connector.Response;
import org.apache.catalina.valves.ErrorReportValve;

/** Tomcat's own refusals (a malformed request line, headers that are too long) as OperationOutcome. */
public final class OutcomeValve extends ErrorReportValve {
    @Override
    protected void report(Request request, Response response, Throwable throwable) {
        int status = response.getStatus();
        if (status < 400 || response.getContentWritten() > 0 || !response.setErrorReported()) {
            return;
        }
        byte[] body = Outcomes.body(status < 500 ? "invalid" : "exception", "The request was not understood.");
        try {
            response.setContentType("application/fhir+json;charset=UTF-8");
            response.getOutputStream().write(body);
            response.finishResponse();
        } catch (IOException | IllegalStateException e) {
            // Nobody is left to be told.
            getContainer().getLogger().debug("no error report", e);
        }
    }
}
