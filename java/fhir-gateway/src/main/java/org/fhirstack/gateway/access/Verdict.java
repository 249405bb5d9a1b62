package org.fhirstack.gateway.access;

import com.google.fhir.gateway.interfaces.AccessDecision;
import com.google.fhir.gateway.interfaces.RequestDetailsReader;
import com.google.fhir.gateway.interfaces.RequestMutation;
import java.util.List;
import java.util.Set;
import org.apache.http.HttpResponse;
import org.fhirstack.gateway.sync.Reading;

/**
 * Permission to send one request. The Info Gateway's decision can add query parameters and edit an answer that is read
 * whole; ours needs more (bodies written anew, answers judged as streams), so it carries the request and the rule.
 *
 * @param reading what the answer is judged by, null when its reader may see all
 * @param written types that change; a change of assignments must be seen at once
 * @param lost    what the server will not keep, for the sender to know
 */
public record Verdict(Outgoing outgoing, AnswerRule rule, Reading reading, Set<String> written, String reason,
        List<String> lost) implements AccessDecision {

    public Verdict(Outgoing outgoing, AnswerRule rule, Reading reading, Set<String> written, String reason) {
        this(outgoing, rule, reading, written, reason, List.of());
    }

    Verdict losing(List<String> places) {
        return new Verdict(outgoing, rule, reading, written, reason, places);
    }

    public static Verdict pass(Outgoing outgoing, String reason) {
        return new Verdict(outgoing, AnswerRule.PASS, null, Set.of(), reason);
    }

    @Override
    public boolean canAccess() {
        return true;
    }

    /** None: {@link #outgoing()} is complete. */
    @Override
    public RequestMutation getRequestMutation(RequestDetailsReader request) {
        return null;
    }

    /** None: {@link #rule()} is applied while the answer streams. */
    @Override
    public String postProcess(RequestDetailsReader request, HttpResponse response) {
        return null;
    }
}
