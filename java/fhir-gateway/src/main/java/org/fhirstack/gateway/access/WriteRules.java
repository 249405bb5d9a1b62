package org.fhirstack.gateway.access;

import java.util.Set;
import org.fhirstack.gateway.Json;
import org.fhirstack.gateway.Refusal;
import org.fhirstack.gateway.fhir.Losses;
import org.fhirstack.gateway.request.FhirUrl;
import org.fhirstack.gateway.request.GatewayRequest;
import org.fhirstack.gateway.request.Query;
import org.fhirstack.gateway.sync.Existing;

/** Judges single writes: body, what exists already, and conditions. */
final class WriteRules {
    /** What a write may be given as parameters. */
    static final Set<String> CONTROL = Set.of("_format", "_pretty");
    private final Access access;
    private final WriteJudge judge;

    WriteRules(Access access) {
        this.access = access;
        this.judge = new WriteJudge(access);
    }

    Verdict create(GatewayRequest request, Query query) {
        String type = request.url().type();
        access.user.need("POST", type);
        PermissionAccessChecker.only(query, CONTROL);
        Write write = new Write("POST", type, null, null, BodyRules.resource(request.content(), type), null);
        named(write, () -> judge.bring(write));
        Outgoing out = Outgoing.write("POST", type, query, Json.write(write.resource));
        String condition = request.header("If-None-Exist");
        if (condition != null) {
            out = out.with("If-None-Exist", condition(type, condition, access));
        }
        return written(out, type, "create").losing(Losses.of(write.resource));
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
        return put(new Write("PUT", url.type(), url.id(), null, BodyRules.resource(request.content(), url.type()),
                request.header("If-Match")), query, "update");
    }

    Verdict conditionalUpdate(GatewayRequest request, Query query) {
        String type = request.url().type();
        access.user.need("PUT", type);
        access.conditional(type, query);
        return put(new Write("PUT", type, null, query, BodyRules.resource(request.content(), type),
                request.header("If-Match")), query, "conditional-update");
    }

    /** A JSON Patch of one resource, judged as one in a bundle. */
    Verdict patch(GatewayRequest request, Query query) {
        FhirUrl url = request.url();
        access.user.need("PATCH", url.type());
        PermissionAccessChecker.only(query, CONTROL);
        return put(new Write("PATCH", url.type(), url.id(), null, PatchRules.binary(request.content()),
                request.header("If-Match")), query, "patch");
    }

    private Verdict put(Write write, Query query, String reason) {
        boolean[] snapshot = {false};
        named(write, () -> {
            judge.bring(write);
            snapshot[0] = judge.settlesTags(write);
            judge.settle(write, judge.needsCurrent(write, snapshot[0]) ? current(write) : null);
        });
        Outgoing out = write.method.equals("PATCH")
                ? Outgoing.patch(write.url(), query, Json.write(PatchRules.operations(write.resource)))
                : Outgoing.write("PUT", write.id == null ? write.type : write.url(), query, Json.write(write.resource));
        out = out.with("If-Match", write.ifMatch());
        return written(snapshot[0] ? out.with(WriteJudge.SNAPSHOT, WriteJudge.SNAPSHOT_MODE) : out, write.type, reason)
                .losing(Losses.of(write.resource));
    }

    private Existing.Current current(Write write) {
        return write.id == null ? access.existing.matching(write.type, write.condition)
                : access.existing.of(write.type, write.id);
    }

    Verdict delete(GatewayRequest request, Query query) {
        FhirUrl url = request.url();
        access.user.need("DELETE", url.type());
        PermissionAccessChecker.only(query, CONTROL);
        Write write = new Write("DELETE", url.type(), url.id(), null, null, request.header("If-Match"));
        named(write, () -> {
            judge.bring(write);
            judge.settle(write, judge.needsCurrent(write, false) ? current(write) : null);
        });
        return written(Outgoing.write("DELETE", url.path(), query, null).with("If-Match", write.ifMatch()), url.type(),
                "delete");
    }

    Verdict conditionalDelete(String type, Query query) {
        access.user.need("DELETE", type);
        return written(Outgoing.write("DELETE", type, access.conditional(type, query), null), type,
                "conditional-delete");
    }

    /** A refusal names what it is about. */
    private static void named(Write write, Runnable step) {
        try {
            step.run();
        } catch (Refusal refusal) {
            throw refusal.about(write.method + " " + write.url());
        }
    }

    private static Verdict written(Outgoing out, String type, String reason) {
        return new Verdict(out, AnswerRule.PASS, null, Set.of(type), reason);
    }
}
