package org.fhirstack.gateway.access;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.Set;
import org.fhirstack.gateway.Json;
import org.fhirstack.gateway.Refusal;
import org.fhirstack.gateway.request.FhirUrl;
import org.fhirstack.gateway.request.GatewayRequest;
import org.fhirstack.gateway.request.Query;

/** Judges single writes: body, what exists already, and conditions. */
final class WriteRules {
    /** What a write may be given as parameters. */
    static final Set<String> CONTROL = Set.of("_format", "_pretty");
    private final Access access;

    WriteRules(Access access) {
        this.access = access;
    }

    Verdict create(GatewayRequest request, Query query) {
        String type = request.url().type();
        access.user.need("POST", type);
        PermissionAccessChecker.only(query, CONTROL);
        JsonNode body = BodyRules.resource(request.content(), type);
        access.judgeBody(body, "POST", type, null);
        Outgoing out = Outgoing.write("POST", type, query, Json.write(body));
        String condition = request.header("If-None-Exist");
        if (condition != null) {
            out = out.with("If-None-Exist", condition(type, condition, access));
        }
        return written(out, type, "create");
    }

    /** A conditional create's search, as {@code Type?a=b}, {@code ?a=b} or {@code a=b}; written again as Type?a=b. */
    static String condition(String type, String text, Access access) {
        int question = text.indexOf('?');
        if (question > 0 && !text.substring(0, question).equals(type)) {
            throw Refusal.malformed("If-None-Exist must search the type that is created.");
        }
        return type + "?" + access.conditional(type, Query.parse(text.substring(question + 1))).encode();
    }

    Verdict update(GatewayRequest request, Query query) {
        FhirUrl url = request.url();
        access.user.need("PUT", url.type());
        PermissionAccessChecker.only(query, CONTROL);
        JsonNode body = BodyRules.resource(request.content(), url.type());
        BodyRules.needId(body, url.id());
        access.judgeBody(body, "PUT", url.type(), url.id());
        needExistingInside("PUT", url);
        return written(Outgoing.write("PUT", url.path(), query, Json.write(body))
                .with("If-Match", request.header("If-Match")), url.type(), "update");
    }

    Verdict delete(GatewayRequest request, Query query) {
        FhirUrl url = request.url();
        access.user.need("DELETE", url.type());
        PermissionAccessChecker.only(query, CONTROL);
        needExistingInside("DELETE", url);
        return written(Outgoing.write("DELETE", url.path(), query, null)
                .with("If-Match", request.header("If-Match")), url.type(), "delete");
    }

    private void needExistingInside(String method, FhirUrl url) {
        if (access.filtered(method, url.type(), Query.EMPTY, url.id())) {
            access.needInside(access.existing.of(url.type(), url.id(), access.filter().system()), url.type(),
                    url.id());
        }
    }

    Verdict conditionalUpdate(GatewayRequest request, Query query) {
        String type = request.url().type();
        access.user.need("PUT", type);
        access.conditional(type, query);
        JsonNode body = BodyRules.resource(request.content(), type);
        access.judgeBody(body, "PUT", type, null);
        return written(Outgoing.write("PUT", type, query, Json.write(body))
                .with("If-Match", request.header("If-Match")), type, "conditional-update");
    }

    Verdict conditionalDelete(String type, Query query) {
        access.user.need("DELETE", type);
        return written(Outgoing.write("DELETE", type, access.conditional(type, query), null), type,
                "conditional-delete");
    }

    private static Verdict written(Outgoing out, String type, String reason) {
        return new Verdict(out, AnswerRule.PASS, null, Set.of(type), reason);
    }
}
