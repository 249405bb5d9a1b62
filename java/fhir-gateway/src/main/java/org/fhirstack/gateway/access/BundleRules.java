package org.fhirstack.gateway.access;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
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

    private final Access access;
    /** Existing resources that must be the user's, by type. */
    private final Map<String, Set<String>> inside = new TreeMap<>();
    private final Set<String> written = new LinkedHashSet<>();
    private final List<AnswerRule.Page> pages = new ArrayList<>();
    private boolean judged;
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
                judged ? new AnswerRule.Each(List.copyOf(pages(list.size()))) : AnswerRule.PASS,
                judged && filtered ? access.filter() : null, Set.copyOf(written), type);
    }

    private List<AnswerRule.Page> pages(int size) {
        AnswerRule.Page none = new AnswerRule.Page("", AnswerRule.Mode.PLAIN, "", "");
        List<AnswerRule.Page> all = new ArrayList<>();
        for (int i = 0; i < size; i++) {
            all.add(pages.get(i) == null ? none : pages.get(i));
        }
        return all;
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
        pages.add(null);
        switch (method) {
            case "GET" -> get(entry, url, query, asked);
            case "POST" -> post(entry, url, query, asked, out);
            case "PUT" -> put(entry, url, query, asked, out);
            case "PATCH" -> patch(entry, url, query, asked, out);
            case "DELETE" -> delete(entry, url, query, asked);
            default -> throw Refusal.malformed("request.method must be GET, POST, PUT, PATCH or DELETE.");
        }
        for (String condition : List.of("ifMatch", "ifNoneMatch", "ifModifiedSince")) {
            if (request.path(condition).isTextual() && (condition.equals("ifMatch") || !access.user.android())) {
                asked.set(condition, request.path(condition));
            }
        }
        out.set("request", asked);
        return out;
    }

    private void get(JsonNode entry, FhirUrl url, Query query, ObjectNode asked) {
        needShape(url, FhirUrl.Kind.TYPE, FhirUrl.Kind.INSTANCE, FhirUrl.Kind.VERSION, FhirUrl.Kind.INSTANCE_HISTORY);
        access.user.need("GET", url.type());
        if (entry.has("resource")) {
            BodyRules.needType(entry.path("resource"), url.type());
        }
        if (url.kind() == FhirUrl.Kind.TYPE) {
            Search search = Search.of(access, url.type(), query);
            pages.set(pages.size() - 1, search.page());
            judged = true;
            filtered |= search.filter() != null;
            asked.put("url", join(url.path(), search.query()));
            return;
        }
        boolean needsTags = access.filtered("GET", url.type(), Query.EMPTY, url.id());
        if (needsTags && url.kind() != FhirUrl.Kind.INSTANCE) {
            throw Refusal.denied("history", "versions cannot be read inside a bundle by Android users.");
        }
        if (needsTags) {
            mustBeInside(url);
        }
        if (!query.onlyHas(url.kind() == FhirUrl.Kind.INSTANCE_HISTORY
                ? Set.of("_format", "_pretty", "_count", "_since", "_at")
                : Set.of("_format", "_pretty", "_summary", "_elements"))) {
            throw Refusal.malformed("this interaction takes no such parameters.");
        }
        if (url.kind() == FhirUrl.Kind.INSTANCE_HISTORY) {
            pages.set(pages.size() - 1, new AnswerRule.Page(url.type(), AnswerRule.Mode.PLAIN, "", ""));
            judged = true;
        }
        asked.put("url", join(url.path(), query));
    }

    private void post(JsonNode entry, FhirUrl url, Query query, ObjectNode asked, ObjectNode out) {
        needShape(url, FhirUrl.Kind.TYPE);
        control(query);
        JsonNode resource = body(entry, url.type());
        access.judgeBody(resource, "POST", url.type(), null);
        JsonNode condition = entry.path("request").path("ifNoneExist");
        if (!condition.isMissingNode()) {
            asked.put("ifNoneExist", WriteRules.condition(url.type(), condition.asText(""), access));
        }
        write(url, asked, out, resource, url.type());
    }

    private void put(JsonNode entry, FhirUrl url, Query query, ObjectNode asked, ObjectNode out) {
        needShape(url, FhirUrl.Kind.TYPE, FhirUrl.Kind.INSTANCE);
        JsonNode resource = body(entry, url.type());
        access.judgeBody(resource, "PUT", url.type(), url.id());
        if (url.id() == null) {
            write(url, asked, out, resource, join(url.type(), access.conditional(url.type(), query)));
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
            write(url, asked, out, patch, join(url.type(), access.conditional(url.type(), query)));
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
            asked.put("url", join(url.type(), access.conditional(url.type(), query)));
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
