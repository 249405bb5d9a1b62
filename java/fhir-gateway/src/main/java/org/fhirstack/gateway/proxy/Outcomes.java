package org.fhirstack.gateway.proxy;

import com.fasterxml.jackson.databind.node.ObjectNode;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;
import org.fhirstack.gateway.Json;
import org.fhirstack.gateway.Refusal;

/** Answers of the gateway's own: refusals as OperationOutcome. */
public final class Outcomes {
    private Outcomes() {
    }

    public static byte[] body(String code, String text) {
        ObjectNode outcome = Json.object().put("resourceType", "OperationOutcome");
        outcome.putArray("issue").addObject().put("severity", "error").put("code", code).put("diagnostics", text);
        return Json.write(outcome);
    }

    public static void send(HttpServletResponse response, Refusal refusal) throws IOException {
        if (refusal.status() == 401) {
            response.setHeader("WWW-Authenticate", refusal.reason().equals("no-token") ? "Bearer realm=\"fhir\""
                    : "Bearer realm=\"fhir\", error=\"invalid_token\"");
        } else if (refusal.status() == 503) {
            response.setHeader("Retry-After", "5");
        }
        send(response, refusal.status(), refusal.issueCode(), refusal.getMessage());
    }

    public static void send(HttpServletResponse response, int status, String code, String text) throws IOException {
        byte[] body = body(code, text);
        response.setStatus(status);
        response.setContentType("application/fhir+json;charset=UTF-8");
        response.setContentLength(body.length);
        response.getOutputStream().write(body);
    }
}
