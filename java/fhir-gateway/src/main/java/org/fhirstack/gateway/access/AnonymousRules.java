package org.fhirstack.gateway.access;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import org.fhirstack.gateway.Json;
import org.fhirstack.gateway.Refusal;
import org.fhirstack.gateway.request.FhirUrl;
import org.fhirstack.gateway.request.GatewayRequest;
import org.fhirstack.gateway.request.Query;
import org.fhirstack.gateway.sync.Existing;
import org.fhirstack.gateway.sync.Reading;
import org.fhirstack.gateway.token.User;

/**
 * What is served without a token: the list of exact configuration resources, singly or as a batch of reads. An
 * application fetches its configuration in this way before its user logs in.
 */
public final class AnonymousRules {
    private static final int MOST_ENTRIES = 50;
    private static final int LONGEST = 100_000;
    private final AllowList allowList;
    private final PermissionAccessChecker.Services services;

    public AnonymousRules(PermissionAccessChecker.Services services) {
        this.allowList = services.allowList();
        this.services = services;
    }

    public Verdict judge(GatewayRequest request) {
        if (request.method().equals("GET")) {
            Verdict read = read(request.url(), request.query(), null);
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
        throw refusal();
    }

    /** What is not for strangers. */
    public static Refusal refusal() {
        return Refusal.token("no-token", "This needs a bearer token.");
    }

    /**
     * What the allow-list says to a GET; null when it says nothing. What a tag assigns to somebody is nobody else's,
     * whatever the list says.
     *
     * @param user null without a token
     */
    Verdict read(FhirUrl url, Query query, User user) {
        Query asked = allowList.opened(url, query, user == null);
        if (asked != null) {
            Reading reading = user == null ? services.filters().everybodys() : user.android()
                    ? services.filters().reading(user, "") : null;
            if (reading != null && (url.kind() == FhirUrl.Kind.VERSION || url.kind() == FhirUrl.Kind.INSTANCE_HISTORY)) {
                needPresent(url, reading);
            }
            Outgoing out = Outgoing.get(url.path(), asked);
            String reason = user == null ? "open" : "allow-list";
            return url.id() != null && url.kind() != FhirUrl.Kind.INSTANCE_HISTORY
                    ? new Verdict(out, reading == null ? AnswerRule.PASS : AnswerRule.EVERYBODYS, reading, Set.of(), reason)
                    : new Verdict(out, new AnswerRule.Pages(page(url, reading)), reading, Set.of(), reason);
        }
        return allowList.unknown(url, query) ? new Verdict(Outgoing.get(url.path(), query), AnswerRule.NOTHING, null,
                Set.of(), "unknown-application") : null;
    }

    private static AnswerRule.Page page(FhirUrl url, Reading reading) {
        return new AnswerRule.Page(url.type(), reading == null ? AnswerRule.Mode.PLAIN
                : url.kind() == FhirUrl.Kind.INSTANCE_HISTORY ? AnswerRule.Mode.EVERYBODYS_HISTORY
                : AnswerRule.Mode.EVERYBODYS, "", "");
    }

    private void needPresent(FhirUrl url, Reading reading) {
        Existing.Current current = services.existing().of(url.type(), url.id());
        if (current != null && !reading.may(current.tags(), true)) {
            throw Refusal.outside(url.type() + "/" + url.id(), true);
        }
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
        List<AnswerRule.Expected> expected = new ArrayList<>();
        for (JsonNode entry : entries) {
            Verdict read = entry(entry);
            if (read == null) {
                return null;
            }
            list.addObject().set("request", Json.object().put("method", "GET").put("url", read.outgoing().target()));
            String type = read.outgoing().path().replaceFirst("/.*", "");
            expected.add(read.rule() instanceof AnswerRule.Pages pages
                    ? new AnswerRule.Expected(type, pages.page(), null)
                    : new AnswerRule.Expected(type, null, AnswerRule.EVERYBODYS));
        }
        ObjectNode out = Json.object().put("resourceType", "Bundle").put("type", "batch");
        out.set("entry", list);
        return new Verdict(Outgoing.write("POST", "", Query.EMPTY, Json.write(out)), new AnswerRule.Each(expected),
                services.filters().everybodys(), Set.of(), "open-batch");
    }

    /** What an entry may read; null when it may not, or when there is nothing to ask the backend. */
    private Verdict entry(JsonNode entry) {
        String text = entry.path("request").path("url").asText("");
        if (entry.has("resource") || !entry.path("request").path("method").asText("").equals("GET")) {
            return null;
        }
        try {
            int question = text.indexOf('?');
            FhirUrl url = FhirUrl.parse(question < 0 ? text : text.substring(0, question));
            Query query = Query.parse(question < 0 ? "" : text.substring(question + 1));
            Verdict read = read(url, query, null);
            return read == null || read.rule() == AnswerRule.NOTHING ? null : read;
        } catch (Refusal refusal) {
            return null;
        }
    }
}
