package org.fhirstack.gateway.access;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import org.fhirstack.gateway.Json;
import org.fhirstack.gateway.Refusal;
import org.fhirstack.gateway.fhir.Losses;
import org.fhirstack.gateway.request.FhirUrl;
import org.fhirstack.gateway.request.Query;
import org.fhirstack.gateway.sync.Lookups;

/**
 * Judges a batch or transaction entry by entry and writes it anew. An entry that is not allowed refuses the whole: what
 * is left of a transaction is not what its sender meant.
 */
final class BundleRules {
    private static final int MOST_ENTRIES = 5_000;
    private static final Set<String> PARTIAL = Set.of("_summary", "_elements");

    /** One entry: what was asked, what goes on, and what its answer may hold. */
    private static final class Part {
        final String method;
        final FhirUrl url;
        final ObjectNode out = Json.object();
        final ObjectNode asked = Json.object();
        /** Null for a GET. */
        Write write;
        AnswerRule.Expected expected;

        Part(String method, FhirUrl url) {
            this.method = method;
            this.url = url;
        }
    }

    private final Access access;
    private final WriteJudge judge;
    private final List<Part> parts = new ArrayList<>();
    private final CurrentStates states;
    private boolean judged;

    BundleRules(Access access) {
        this.access = access;
        this.judge = new WriteJudge(access);
        this.states = new CurrentStates(access.existing);
    }

    Verdict judge(JsonNode bundle, Query query) {
        String type = bundle.path("type").asText("");
        if (!type.equals("transaction") && !type.equals("batch")) {
            throw Refusal.malformed("A bundle posted to the base must be a transaction or a batch.");
        }
        JsonNode entries = bundle.path("entry");
        if (!entries.isMissingNode() && !entries.isArray() || entries.size() > MOST_ENTRIES) {
            throw Refusal.malformed("Bundle.entry must be a list of at most " + MOST_ENTRIES + " entries.");
        }
        if (access.user.android()) {
            access.making(places(entries));
        }
        for (JsonNode entry : entries) {
            named(parts.size(), entry.path("request"), () -> parts.add(part(entry)));
        }
        boolean snapshot = parts.stream().anyMatch(p -> p.write != null && judge.settlesTags(p.write));
        boolean writes = parts.stream().anyMatch(p -> p.write != null);
        parts.forEach(part -> need(part, snapshot, writes));
        states.read();
        Identities identities = new Identities(type.equals("transaction"), states);
        for (int i = 0; i < parts.size(); i++) {
            Part part = parts.get(i);
            int index = i;
            named(i, part.asked, () -> settle(part, index, identities));
        }
        ObjectNode out = Json.object().put("resourceType", "Bundle").put("type", type);
        if (!parts.isEmpty()) {
            out.putArray("entry").addAll(parts.stream().map(p -> p.out).toList());
        }
        Outgoing outgoing = Outgoing.write("POST", "", query, Json.write(out));
        return new Verdict(snapshot ? outgoing.with(WriteJudge.SNAPSHOT, WriteJudge.SNAPSHOT_MODE) : outgoing,
                new AnswerRule.Each(parts.stream().map(p -> p.expected).toList()), judged ? access.reading(false) : null,
                parts.stream().filter(p -> p.write != null).map(p -> p.url.type()).collect(Collectors.toSet()), type)
                .losing(Losses.of(out));
    }

    /** The Locations that are written, and what each is part of. */
    private static Map<String, String> places(JsonNode entries) {
        Map<String, String> places = new HashMap<>();
        for (JsonNode entry : entries) {
            JsonNode resource = entry.path("resource");
            String above = Lookups.id(resource.path("partOf"), "Location");
            if (above != null && entry.path("request").path("method").asText("").equals("PUT")
                    && resource.path("resourceType").asText("").equals("Location")) {
                places.put(resource.path("id").asText(""), above);
            }
        }
        return places;
    }

    /** A refusal names the entry: the sender mends it there. */
    private static void named(int index, JsonNode request, Runnable step) {
        try {
            step.run();
        } catch (Refusal refusal) {
            throw refusal.about("Bundle.entry[" + index + "] (" + request.path("method").asText("no method") + " "
                    + request.path("url").asText("no URL") + ")");
        }
    }

    private Part part(JsonNode entry) {
        JsonNode request = entry.path("request");
        String target = request.path("url").asText("");
        if (!entry.isObject() || !request.path("method").isTextual() || !request.path("url").isTextual()) {
            throw Refusal.malformed("an entry needs request.method and request.url.");
        }
        int question = target.indexOf('?');
        FhirUrl url = FhirUrl.parse(question < 0 ? target : target.substring(0, question));
        Query query = Query.parse(question < 0 ? "" : target.substring(question + 1));
        if (query.has("_getpages") || query.has("_syncLocations")) {
            throw Refusal.malformed("this parameter is not allowed in an entry.");
        }
        Part part = new Part(request.path("method").asText(), url);
        part.asked.put("method", part.method);
        if (entry.path("fullUrl").isTextual()) {
            part.out.put("fullUrl", entry.path("fullUrl").asText());
        }
        if (part.method.equals("GET")) {
            get(entry, query, part);
        } else {
            write(entry, query, part);
        }
        for (String condition : List.of("ifNoneMatch", "ifModifiedSince")) {
            if (request.path(condition).isTextual() && !access.user.android()) {
                part.asked.set(condition, request.path(condition));
            }
        }
        part.out.set("request", part.asked);
        return part;
    }

    private void get(JsonNode entry, Query query, Part part) {
        FhirUrl url = part.url;
        needShape(url, FhirUrl.Kind.TYPE, FhirUrl.Kind.INSTANCE, FhirUrl.Kind.VERSION, FhirUrl.Kind.INSTANCE_HISTORY);
        access.user.need("GET", url.type());
        if (entry.has("resource")) {
            BodyRules.needType(entry.path("resource"), url.type());
        }
        if (url.kind() == FhirUrl.Kind.TYPE) {
            Search search = Search.of(access, url.type(), query);
            judged |= search.reading() != null;
            part.asked.put("url", join(url.path(), search.query()));
            part.expected = new AnswerRule.Expected(url.type(), search.page(), null);
            return;
        }
        AnswerRule.Tagged tagged = !access.user.android() ? null
                : access.filtered("GET", url.type(), Query.EMPTY, url.id()) ? AnswerRule.TAGGED : AnswerRule.EVERYBODYS;
        if (tagged == AnswerRule.TAGGED && url.kind() != FhirUrl.Kind.INSTANCE) {
            throw Refusal.denied("history", "versions cannot be read inside a bundle by Android users.");
        }
        judged |= tagged != null;
        if (!query.onlyHas(url.kind() == FhirUrl.Kind.INSTANCE_HISTORY
                ? Set.of("_format", "_pretty", "_count", "_since", "_at")
                : Set.of("_format", "_pretty", "_summary", "_elements"))) {
            throw Refusal.malformed("this interaction takes no such parameters.");
        }
        part.asked.put("url", join(url.path(), tagged == null ? query : query.without(PARTIAL)));
        part.expected = new AnswerRule.Expected(url.type(), url.kind() == FhirUrl.Kind.INSTANCE_HISTORY
                ? new AnswerRule.Page(url.type(), tagged == null ? AnswerRule.Mode.PLAIN
                : AnswerRule.Mode.EVERYBODYS_HISTORY, "", access.chosenLocations()) : null, tagged);
    }

    private void write(JsonNode entry, Query query, Part part) {
        FhirUrl url = part.url;
        boolean create = part.method.equals("POST");
        if (!create && !List.of("PUT", "PATCH", "DELETE").contains(part.method)) {
            throw Refusal.malformed("request.method must be GET, POST, PUT, PATCH or DELETE.");
        }
        needShape(url, FhirUrl.Kind.TYPE, FhirUrl.Kind.INSTANCE);
        if (create && url.id() != null) {
            // The Android FHIR SDK names the id that the device gave; the server gives another, as of any POST.
            BodyRules.needId(entry.path("resource"), url.id());
        }
        access.user.need(part.method, url.type());
        boolean conditional = !create && url.id() == null;
        if (!conditional && !query.onlyHas(WriteRules.CONTROL)) {
            throw Refusal.malformed("this interaction takes no such parameters.");
        }
        JsonNode request = entry.path("request");
        part.write = new Write(part.method, url.type(), create ? null : url.id(),
                conditional ? access.conditional(url.type(), query) : null, resource(entry, part),
                request.path("ifMatch").isTextual() ? request.path("ifMatch").asText() : null);
        judge.bring(part.write);
        if (create && request.has("ifNoneExist")) {
            part.asked.put("ifNoneExist", WriteRules.condition(url.type(), request.path("ifNoneExist").asText(""),
                    access));
        }
        part.asked.put("url", part.write.url());
        part.expected = new AnswerRule.Expected(url.type(), null, null);
    }

    private static JsonNode resource(JsonNode entry, Part part) {
        String type = part.url.type();
        if (part.method.equals("DELETE")) {
            if (entry.has("resource")) {
                BodyRules.needType(entry.path("resource"), type);
            }
            return null;
        }
        if (type.equals("Bundle")) {
            throw Refusal.malformed("a bundle inside a bundle is not allowed.");
        }
        if (!entry.has("resource")) {
            throw Refusal.malformed("this entry needs a resource.");
        }
        if (!part.method.equals("PATCH")) {
            BodyRules.needType(entry.path("resource"), type);
        }
        return entry.path("resource");
    }

    private void need(Part part, boolean snapshot, boolean writes) {
        if (part.write != null) {
            if (judge.needsCurrent(part.write, snapshot)) {
                states.need(part.write, judge.needsWhole(part.write));
            }
        } else if (part.expected.tagged() != null && (part.expected.tagged() == AnswerRule.TAGGED || writes
                || part.url.kind() != FhirUrl.Kind.INSTANCE)) {
            // What everybody reads is judged by the answer alone, when nothing else has happened by then.
            states.need(part.url.type(), part.url.id());
        }
    }

    private void settle(Part part, int index, Identities identities) {
        Write write = part.write;
        if (write == null) {
            if (part.expected.tagged() == AnswerRule.TAGGED) {
                access.needInside(states.of(part.url.type(), part.url.id()), part.url.type(), part.url.id(), true);
            } else if (part.expected.tagged() != null) {
                access.needReadable(states.of(part.url.type(), part.url.id()), part.url.type(), part.url.id(), false);
            }
            return;
        }
        identities.add(index, write, part.asked.path("ifNoneExist").asText(null));
        judge.settle(write, states.of(write));
        part.asked.put("method", write.method);
        if (write.ifMatch() != null) {
            part.asked.put("ifMatch", write.ifMatch());
        }
        if (write.resource != null) {
            part.out.set("resource", write.resource);
        }
    }

    private static void needShape(FhirUrl url, FhirUrl.Kind... shapes) {
        if (url.operation() != null) {
            throw Refusal.denied("operation", "operations are not allowed in an entry.");
        }
        if (url.custom()) {
            throw Refusal.malformed(url.type() + " is no resource type; ask for it by a request of its own.");
        }
        if (!List.of(shapes).contains(url.kind())) {
            throw Refusal.malformed("this URL is not allowed in such an entry.");
        }
    }

    private static String join(String path, Query query) {
        return query.isEmpty() ? path : path + "?" + query.encode();
    }
}
