package org.fhirstack.gateway.sync;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.function.BooleanSupplier;
import java.util.function.Consumer;
import java.util.function.Function;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.fhirstack.gateway.access.Outgoing;
import org.fhirstack.gateway.request.Query;

/** Searches of the gateway's own, over all their pages. */
public final class Lookups {
    private static final int MOST = 20_000;
    private static final String PAGE = "200";
    private static final Pattern REFERENCE = Pattern.compile(
            "(?:^|.*/)([A-Z][A-Za-z]+)/([A-Za-z0-9.-]{1,64})(?:/_history/.*)?");
    private final Function<Outgoing, JsonNode> backend;

    /** @param backend sends a lookup; null when there is nothing there */
    public Lookups(Function<Outgoing, JsonNode> backend) {
        this.backend = backend;
    }

    public JsonNode read(String type, String id) {
        return backend.apply(Outgoing.get(type + "/" + id, Query.EMPTY));
    }

    /** What a search finds, at most about {@value #MOST} resources. */
    public List<JsonNode> search(String type, Query query) {
        List<JsonNode> found = new ArrayList<>();
        each(type, query, found::add, () -> found.size() <= MOST);
        return found;
    }

    /** Hands over what a search finds, a page in memory at a time. */
    public void each(String type, Query query, Consumer<JsonNode> sink) {
        each(type, query, sink, () -> true);
    }

    /** What several searches find together, one for each chunk of ids. */
    public void eachOf(String type, String parameter, List<String> values, int chunk, Query more,
            Consumer<JsonNode> sink) {
        for (List<String> some : chunks(values, chunk)) {
            each(type, Query.of(parameter, String.join(",", some)).plus(more), sink);
        }
    }

    /** What a search finds that was judged already. */
    public void each(Outgoing search, String type, Consumer<JsonNode> sink) {
        each(search, type, sink, () -> true);
    }

    private void each(String type, Query query, Consumer<JsonNode> sink, BooleanSupplier goOn) {
        each(Outgoing.search(type, query.has("_count") ? query : query.plus("_count", PAGE)), type, sink, goOn);
    }

    private void each(Outgoing first, String type, Consumer<JsonNode> sink, BooleanSupplier goOn) {
        Outgoing next = first;
        while (next != null && goOn.getAsBoolean()) {
            JsonNode page = backend.apply(next);
            next = null;
            if (page == null) {
                break;
            }
            for (JsonNode entry : page.path("entry")) {
                if (type.equals(entry.path("resource").path("resourceType").asText())) {
                    sink.accept(entry.path("resource"));
                }
            }
            for (JsonNode link : page.path("link")) {
                String url = link.path("url").asText();
                if (link.path("relation").asText().equals("next") && url.contains("?")) {
                    Query params = Query.parse(url.substring(url.indexOf('?') + 1));
                    next = Outgoing.get(params.has("_getpages") ? "" : type, params);
                }
            }
        }
    }

    public static List<List<String>> chunks(Collection<String> ids, int size) {
        List<String> all = List.copyOf(ids);
        List<List<String>> chunks = new ArrayList<>();
        for (int from = 0; from < all.size(); from += size) {
            chunks.add(all.subList(from, Math.min(all.size(), from + size)));
        }
        return chunks;
    }

    public static List<String> references(String type, Collection<String> ids) {
        return ids.stream().map(id -> type + "/" + id).toList();
    }

    /** The id in a Reference to this type; null when it refers to something else. */
    public static String id(JsonNode reference, String type) {
        return id(reference.path("reference").asText(), type);
    }

    public static String id(String reference, String type) {
        Matcher m = REFERENCE.matcher(reference);
        return m.matches() && m.group(1).equals(type) ? m.group(2) : null;
    }

    public static void add(Collection<String> ids, JsonNode reference, String type) {
        String id = id(reference, type);
        if (id != null) {
            ids.add(id);
        }
    }

    /** A token value with FHIR's separators escaped. */
    public static String token(String value) {
        return value.replaceAll("([\\\\,|$])", "\\\\$1");
    }
}
