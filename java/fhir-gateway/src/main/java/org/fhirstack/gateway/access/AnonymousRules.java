package org.fhirstack.gateway.access;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.Set;
import org.fhirstack.gateway.Json;
import org.fhirstack.gateway.Refusal;
import org.fhirstack.gateway.request.FhirUrl;
import org.fhirstack.gateway.request.GatewayRequest;
import org.fhirstack.gateway.request.Query;

/**
 * What is served without a token: the list of exact configuration resources, singly or as a batch of reads. An
 * application fetches its configuration in this way before its user logs in.
 */
public final class AnonymousRules {
    private static final int MOST_ENTRIES = 50;
    private static final int LONGEST = 100_000;
    private final AllowList allowList;

    public AnonymousRules(AllowList allowList) {
        this.allowList = allowList;
    }

    public Verdict judge(GatewayRequest request) {
        if (request.method().equals("GET")) {
            Verdict read = read(request.url(), request.query(), allowList, true);
            if (read != null) {
                return read;
            }
        }
        if (request.method().equals("POST") && request.url().kind() == FhirUrl.Kind.BASE
                && request.query().isEmpty()) {
            Verdict batch = batch(request.content());
            if (batch != null) {
                return batch;
            }
        }
        throw Refusal.token("no-token", "This needs a bearer token.");
    }

    /** What the allow-list says to a GET; null when it says nothing. */
    static Verdict read(FhirUrl url, Query query, AllowList allowList, boolean anonymous) {
        Query asked = allowList.opened(url, query, anonymous);
        if (asked != null) {
            Outgoing out = Outgoing.get(url.path(), asked);
            String reason = anonymous ? "open" : "allow-list";
            return url.id() != null && url.kind() != FhirUrl.Kind.INSTANCE_HISTORY ? Verdict.pass(out, reason)
                    : new Verdict(out, new AnswerRule.Pages(new AnswerRule.Page(url.type(), AnswerRule.Mode.PLAIN, "",
                    "")), null, Set.of(), reason);
        }
        return allowList.unknown(url, query) ? new Verdict(Outgoing.get(url.path(), query), AnswerRule.NOTHING, null,
                Set.of(), "unknown-application") : null;
    }

    /** True when a body is worth reading before the sender is known. */
    public static boolean mayBeBatch(String method, FhirUrl url) {
        return method.equals("POST") && url.kind() == FhirUrl.Kind.BASE;
    }

    /** The longest body that is read without a token. */
    public static int longest() {
        return LONGEST;
    }

    private Verdict batch(byte[] content) {
        JsonNode bundle;
        try {
            bundle = Json.read(content);
        } catch (Refusal refusal) {
            return null;
        }
        JsonNode entries = bundle.path("entry");
        if (!bundle.path("resourceType").asText("").equals("Bundle") || !bundle.path("type").asText("").equals("batch")
                || entries.isEmpty() || !entries.isArray() || entries.size() > MOST_ENTRIES) {
            return null;
        }
        ArrayNode list = Json.array();
        for (JsonNode entry : entries) {
            String target = target(entry);
            if (target == null) {
                return null;
            }
            ObjectNode out = Json.object();
            out.set("request", Json.object().put("method", "GET").put("url", target));
            list.add(out);
        }
        ObjectNode out = Json.object().put("resourceType", "Bundle").put("type", "batch");
        out.set("entry", list);
        return Verdict.pass(Outgoing.write("POST", "", Query.EMPTY, Json.write(out)), "open-batch");
    }

    private String target(JsonNode entry) {
        String text = entry.path("request").path("url").asText("");
        if (entry.has("resource") || !entry.path("request").path("method").asText("").equals("GET")) {
            return null;
        }
        try {
            int question = text.indexOf('?');
            FhirUrl url = FhirUrl.parse(question < 0 ? text : text.substring(0, question));
            Query query = Query.parse(question < 0 ? "" : text.substring(question + 1));
            Query asked = allowList.opened(url, query, true);
            return asked == null ? null : Outgoing.get(url.path(), asked).target();
        } catch (Refusal refusal) {
            return null;
        }
    }
}
