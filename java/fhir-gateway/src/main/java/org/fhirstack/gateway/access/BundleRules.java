package org.fhirstack.gateway.access;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.Collectors;
import org.fhirstack.gateway.Json;
import org.fhirstack.gateway.Refusal;
import org.fhirstack.gateway.request.FhirUrl;
import org.fhirstack.gateway.request.Query;

/**
 * Judges a batch or transaction entry by entry and writes it anew. An entry that is not allowed refuses the whole: what
 * is left of a transaction is not what its sender meant.
 */
final class BundleRules {
    private static final int MOST_ENTRIES = 5_000;
    private static final Set<String> PARTIAL = Set.of("_summary", "_elements");

    private final Access access;
    /** Existing resources that must be the user's, by type. */
    private final Map<String, Set<String>> inside = new TreeMap<>();
    private final Set<String> written = new LinkedHashSet<>();
    private final List<AnswerRule.Expected> expected = new ArrayList<>();
    /** Where each condition of a transaction stands. */
    private final Map<String, Integer> conditions = new HashMap<>();
    private boolean transaction;
    private boolean filtered;

    BundleRules(Access access) {
        this.access = access;
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
        transaction = type.equals("transaction");
        ObjectNode out = Json.object().put("resourceType", "Bundle").put("type", type);
        ArrayNode list = Json.array();
        int index = 0;
        for (JsonNode entry : entries) {
            try {
                list.add(entry(entry));
            } catch (Refusal refusal) {
                throw new Refusal(refusal.status(), refusal.reason(), "Bundle.entry[" + index + "]: "
                        + refusal.getMessage());
            }
            index++;
        }
        if (!list.isEmpty()) {
            out.set("entry", list);
        }
        checkExisting();
        return new Verdict(Outgoing.write("POST", "", query, Json.write(out)),
                new AnswerRule.Each(List.copyOf(expected)), filtered ? access.filter() : null, Set.copyOf(written),
                type);
    }

    private ObjectNode entry(JsonNode entry) {
        JsonNode request = entry.path("request");
        String method = request.path("method").asText("");
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
        ObjectNode out = Json.object();
        JsonNode fullUrl = entry.path("fullUrl");
        if (fullUrl.isTextual()) {
            out.put("fullUrl", fullUrl.asText());
        }
        ObjectNode asked = Json.object().put("method", method);
        switch (method) {
            case "GET" -> expected.add(get(entry, url, query, asked));
            case "POST" -> post(entry, url, query, asked, out);
            case "PUT" -> put(entry, url, query, asked, out);
            case "PATCH" -> patch(entry, url, query, asked, out);
            case "DELETE" -> delete(entry, url, query, asked);
            default -> throw Refusal.malformed("request.method must be GET, POST, PUT, PATCH or DELETE.");
        }
        if (!method.equals("GET")) {
            expected.add(new AnswerRule.Expected(url.type(), null, false));
        }
        for (String condition : List.of("ifMatch", "ifNoneMatch", "ifModifiedSince")) {
            if (request.path(condition).isTextual() && (condition.equals("ifMatch") || !access.user.android())) {
                asked.set(condition, request.path(condition));
            }
        }
        out.set("request", asked);
        return out;
    }

    private AnswerRule.Expected get(JsonNode entry, FhirUrl url, Query query, ObjectNode asked) {
        needShape(url, FhirUrl.Kind.TYPE, FhirUrl.Kind.INSTANCE, FhirUrl.Kind.VERSION, FhirUrl.Kind.INSTANCE_HISTORY);
        access.user.need("GET", url.type());
        if (entry.has("resource")) {
            BodyRules.needType(entry.path("resource"), url.type());
        }
        if (url.kind() == FhirUrl.Kind.TYPE) {
            Search search = Search.of(access, url.type(), query);
            filtered |= search.filter() != null;
            asked.put("url", join(url.path(), search.query()));
            return new AnswerRule.Expected(url.type(), search.page(), false);
        }
        boolean needsTags = access.filtered("GET", url.type(), Query.EMPTY, url.id());
        if (needsTags && url.kind() != FhirUrl.Kind.INSTANCE) {
            throw Refusal.denied("history", "versions cannot be read inside a bundle by Android users.");
        }
        if (needsTags) {
            mustBeInside(url);
            filtered = true;
        }
        if (!query.onlyHas(url.kind() == FhirUrl.Kind.INSTANCE_HISTORY
                ? Set.of("_format", "_pretty", "_count", "_since", "_at")
                : Set.of("_format", "_pretty", "_summary", "_elements"))) {
            throw Refusal.malformed("this interaction takes no such parameters.");
        }
        asked.put("url", join(url.path(), needsTags ? query.without(PARTIAL) : query));
        return new AnswerRule.Expected(url.type(), url.kind() == FhirUrl.Kind.INSTANCE_HISTORY
                ? new AnswerRule.Page(url.type(), AnswerRule.Mode.PLAIN, "", "") : null, needsTags);
    }

    private void post(JsonNode entry, FhirUrl url, Query query, ObjectNode asked, ObjectNode out) {
        needShape(url, FhirUrl.Kind.TYPE);
        control(query);
        JsonNode resource = body(entry, url.type());
        access.judgeBody(resource, "POST", url.type(), null);
        JsonNode condition = entry.path("request").path("ifNoneExist");
        if (!condition.isMissingNode()) {
            String text = WriteRules.condition(url.type(), condition.asText(""), access);
            alone(url.type(), Query.parse(text.substring(text.indexOf('?') + 1)));
            asked.put("ifNoneExist", text);
        }
        write(url, asked, out, resource, url.type());
    }

    private void put(JsonNode entry, FhirUrl url, Query query, ObjectNode asked, ObjectNode out) {
        needShape(url, FhirUrl.Kind.TYPE, FhirUrl.Kind.INSTANCE);
        JsonNode resource = body(entry, url.type());
        access.judgeBody(resource, "PUT", url.type(), url.id());
        if (url.id() == null) {
            write(url, asked, out, resource, condition(url.type(), query));
            return;
        }
        control(query);
        BodyRules.needId(resource, url.id());
        existing("PUT", url);
        write(url, asked, out, resource, url.path());
    }

    private void patch(JsonNode entry, FhirUrl url, Query query, ObjectNode asked, ObjectNode out) {
        needShape(url, FhirUrl.Kind.TYPE, FhirUrl.Kind.INSTANCE);
        access.user.need("PATCH", url.type());
        JsonNode patch = PatchRules.judge(entry.path("resource"), url.type(), access);
        if (url.id() == null) {
            write(url, asked, out, patch, condition(url.type(), query));
            return;
        }
        control(query);
        existing("PATCH", url);
        write(url, asked, out, patch, url.path());
    }

    private void delete(JsonNode entry, FhirUrl url, Query query, ObjectNode asked) {
        needShape(url, FhirUrl.Kind.TYPE, FhirUrl.Kind.INSTANCE);
        access.user.need("DELETE", url.type());
        if (entry.has("resource")) {
            BodyRules.needType(entry.path("resource"), url.type());
        }
        written.add(url.type());
        if (url.id() == null) {
            asked.put("url", condition(url.type(), query));
            return;
        }
        control(query);
        existing("DELETE", url);
        asked.put("url", url.path());
    }

    private void write(FhirUrl url, ObjectNode asked, ObjectNode out, JsonNode resource, String target) {
        written.add(url.type());
        out.set("resource", resource);
        asked.put("url", target);
    }

    private String condition(String type, Query query) {
        access.conditional(type, query);
        alone(type, query);
        return join(type, query);
    }

    /**
     * Refuses a condition that another entry of the transaction has: both would be one resource, which FHIR R4 forbids
     * (http.html, "Transaction Processing Rules"), and HAPI answers, and does, only one of them.
     */
    private void alone(String type, Query query) {
        if (!transaction) {
            return;
        }
        String key = type + "?" + query.params().stream().map(p -> Query.of(p.name(), p.value()).encode()).sorted()
                .distinct().collect(Collectors.joining("&"));
        Integer other = conditions.putIfAbsent(key, expected.size());
        if (other != null) {
            throw Refusal.malformed("its condition is that of Bundle.entry[" + other + "], so both are the same "
                    + type + "; a transaction may have one entry for each resource.");
        }
    }

    private static JsonNode body(JsonNode entry, String type) {
        if (type.equals("Bundle")) {
            throw Refusal.malformed("a bundle inside a bundle is not allowed.");
        }
        if (!entry.has("resource")) {
            throw Refusal.malformed("this entry needs a resource.");
        }
        BodyRules.needType(entry.path("resource"), type);
        return entry.path("resource");
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

    private static void control(Query query) {
        if (!query.onlyHas(WriteRules.CONTROL)) {
            throw Refusal.malformed("this interaction takes no such parameters.");
        }
    }

    private static String join(String path, Query query) {
        return query.isEmpty() ? path : path + "?" + query.encode();
    }

    private void existing(String method, FhirUrl url) {
        if (access.filtered(method, url.type(), Query.EMPTY, url.id())) {
            mustBeInside(url);
        }
    }

    private void mustBeInside(FhirUrl url) {
        inside.computeIfAbsent(url.type(), t -> new TreeSet<>()).add(url.id());
    }

    private void checkExisting() {
        inside.forEach((type, ids) -> access.existing.of(type, ids, access.filter().system())
                .forEach((id, codes) -> access.needInside(codes, type, id)));
    }
}
