package org.fhirstack.gateway.access;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.regex.Pattern;
import org.fhirstack.gateway.Json;
import org.fhirstack.gateway.request.FhirUrl;
import org.fhirstack.gateway.request.Query;

/**
 * Requests that need no role, and, where an entry says so, no token. The file has the Info Gateway's format, and is
 * refused unless every entry opens exact resources only.
 */
public final class AllowList {
    public static final AllowList EMPTY = new AllowList(List.of());
    /** What an application may need before its user logs in. Nothing here may hold data about patients. */
    public static final Set<String> TYPES = Set.of("Binary", "Composition", "ImplementationGuide", "Parameters");
    private static final Set<String> FIELDS = Set.of("path", "queryParams", "allowExtraParams", "allParamsRequired",
            "requestType", "methodType", "allowUnauthenticatedRequests");
    /** What names exactly what is read. */
    private static final Set<String> EXACT = Set.of("_id", "identifier");
    private static final String GUIDE = "ImplementationGuide";
    /** How the app names its guide; older versions send {@code name}, which HAPI would read as "begins with". */
    private static final String GUIDE_NAME = "name:exact";
    /** What may be added to any entry: it changes how the answer looks, never what is read. */
    private static final Map<String, Pattern> HARMLESS = Map.of(
            "_format", Pattern.compile("json|application/(fhir[+ ])?json"),
            "_pretty", Pattern.compile("true|false"),
            "_count", Pattern.compile("[0-9]{1,9}"));
    /** What the app adds when it asks for the newest guide that it can read: fewer guides, and their order. */
    private static final Map<String, Pattern> OF_GUIDES = Map.of(
            "context-quantity", Pattern.compile("(eq|le|lt|ge|gt)?[0-9]{1,10}"),
            "_sort", Pattern.compile("-?context-quantity"));
    /** The parameter by which an application asks for its own, by type. */
    private static final Map<String, String> OF_APPLICATION = Map.of("Composition", "identifier", GUIDE, GUIDE_NAME);
    private static final Pattern APPLICATION = Pattern.compile("[^,|$\\\\\\p{Cntrl}]{1,100}");
    private static final Pattern VALUE = Pattern.compile("[A-Za-z0-9._:/-]+(\\|[A-Za-z0-9._:/-]+)?|\\|[A-Za-z0-9._:/-]+");
    private static final String ANY = "ANY_VALUE";

    private record Entry(String path, Map<String, String> params, boolean open) {
    }

    /** The list, and what is wrong with the file. */
    public record Result(AllowList list, List<String> problems) {
    }

    private final List<Entry> entries;

    private AllowList(List<Entry> entries) {
        this.entries = List.copyOf(entries);
    }

    /**
     * What the backend is asked when an entry matches this GET; null when none does.
     *
     * @param anonymous only entries that need no token
     */
    public Query opened(FhirUrl url, Query query, boolean anonymous) {
        Query asked = spelled(url, query);
        for (Query.Param p : asked.params()) {
            if (asked.values(p.name()).size() > 1) {
                return null;
            }
        }
        String ids = url.kind() == FhirUrl.Kind.TYPE ? asked.single("_id") : null;
        List<String> each = ids == null ? List.of() : List.of(ids.split(",", -1));
        boolean found = each.size() < 2 ? matches(url, asked, anonymous) : each.stream().allMatch(id -> matches(url,
                asked.without(Set.of("_id")).plus("_id", id), anonymous));
        return found ? asked : null;
    }

    /**
     * True for the search by which an application asks for its own, when this list opens such searches and not this
     * one: nothing is there for it. The answer is the same whether the store has that application or not.
     */
    public boolean unknown(FhirUrl url, Query query) {
        String name = url.kind() == FhirUrl.Kind.TYPE ? OF_APPLICATION.get(url.type()) : null;
        Query asked = spelled(url, query);
        return name != null && asked.values(name).size() == 1 && APPLICATION.matcher(asked.single(name)).matches()
                && entries.stream().anyMatch(e -> e.open() && e.path().equals(url.path())
                && e.params().keySet().equals(Set.of(name)))
                && asked.params().stream().allMatch(p -> p.name().equals(name)
                || asked.values(p.name()).size() == 1 && harmless(url.type(), p));
    }

    private static Query spelled(FhirUrl url, Query query) {
        return GUIDE.equals(url.type()) ? query.renamed("name", GUIDE_NAME) : query;
    }

    private boolean matches(FhirUrl url, Query query, boolean anonymous) {
        String path = switch (url.kind()) {
            case TYPE, INSTANCE -> url.path();
            // A guide names its Composition with a version, or without one: the app then asks for the history.
            case VERSION, INSTANCE_HISTORY -> url.type().equals("Composition") ? url.type() + "/" + url.id()
                    : url.path();
            default -> null;
        };
        return path != null && entries.stream().anyMatch(e -> (e.open() || !anonymous) && e.path().equals(path)
                && matches(e, url.type(), query));
    }

    private static boolean matches(Entry entry, String type, Query query) {
        for (Query.Param p : query.params()) {
            String wanted = entry.params().get(p.name());
            boolean ok = wanted == null ? harmless(type, p)
                    : wanted.equals(ANY) ? !p.value().isBlank() : wanted.equals(p.value());
            if (!ok) {
                return false;
            }
        }
        return entry.params().keySet().stream().allMatch(query::has);
    }

    private static boolean harmless(String type, Query.Param p) {
        Pattern value = HARMLESS.get(p.name());
        if (value == null && type.equals(GUIDE)) {
            value = OF_GUIDES.get(p.name());
        }
        return value != null && value.matcher(p.value()).matches();
    }

    /** Reads and judges a file; the list must not be used when there are problems. */
    public static Result read(byte[] file) {
        JsonNode root;
        try {
            root = Json.parse(file);
        } catch (IOException e) {
            return new Result(EMPTY, List.of("not valid JSON, or a key appears twice"));
        }
        List<String> problems = new ArrayList<>();
        if (!root.path("entries").isArray() || root.size() != 1) {
            problems.add("the file must hold one key, entries, a list");
        }
        List<Entry> entries = new ArrayList<>();
        int index = 0;
        for (JsonNode node : root.path("entries")) {
            entries.add(entry(node, "entry " + ++index + ": ", problems));
        }
        return new Result(new AllowList(entries), List.copyOf(problems));
    }

    private static Entry entry(JsonNode node, String where, List<String> problems) {
        node.fieldNames().forEachRemaining(f -> {
            if (!FIELDS.contains(f)) {
                problems.add(where + "unknown field " + f);
            }
        });
        boolean open = flag(node, "allowUnauthenticatedRequests", where, problems);
        if (flag(node, "allowExtraParams", where, problems)) {
            problems.add(where + "allowExtraParams must be false: any further parameter changes what is read");
        }
        Map<String, String> params = new TreeMap<>();
        node.path("queryParams").properties().forEach(p -> params.put(p.getKey(), p.getValue().asText()));
        if (!params.isEmpty() && !flag(node, "allParamsRequired", where, problems)) {
            problems.add(where + "allParamsRequired must be true: without its parameters the entry opens everything");
        }
        method(node, where, problems);
        String path = node.path("path").isTextual() ? node.path("path").asText() : null;
        path(path, params, open, where, problems);
        return new Entry(String.valueOf(path), params, open);
    }

    private static boolean flag(JsonNode node, String name, String where, List<String> problems) {
        if (node.has(name) && !node.path(name).isBoolean()) {
            problems.add(where + name + " must be true or false");
        }
        return node.path(name).asBoolean(false);
    }

    private static void method(JsonNode node, String where, List<String> problems) {
        if (node.has("methodType")) {
            problems.add(where + "the field is called requestType here (methodType is what the sync-filter file has;"
                    + " the Info Gateway ignores it in this file and the entry then opens every method)");
        }
        String method = node.path("requestType").asText("");
        if (method.equals("POST")) {
            problems.add(where + "POST is never opened: a POST to the base is a batch or transaction, and with such an"
                    + " entry anyone reads, writes and deletes every resource of the store");
        } else if (!method.equals("GET")) {
            problems.add(where + "requestType must be GET");
        }
    }

    private static void path(String path, Map<String, String> params, boolean open, String where,
            List<String> problems) {
        if (path == null || path.isEmpty()) {
            problems.add(where + "an empty path is never opened: it is the base, where a POST runs a batch or"
                    + " transaction, a GET searches all types, and _getpages reads other users' result pages");
            return;
        }
        if (path.contains(ANY)) {
            problems.add(where + "ANY_VALUE in a path opens every resource of the type; name the exact id");
            return;
        }
        FhirUrl url;
        try {
            url = FhirUrl.parse(path);
        } catch (RuntimeException e) {
            problems.add(where + "the path is not Type, Type/id or Type/id/_history/version");
            return;
        }
        if (url.type() == null || !TYPES.contains(url.type())) {
            problems.add(where + "only configuration types can be opened: " + String.join(", ",
                    TYPES.stream().sorted().toList()));
        }
        boolean instance = url.kind() == FhirUrl.Kind.INSTANCE || url.kind() == FhirUrl.Kind.VERSION;
        if (!instance && url.kind() != FhirUrl.Kind.TYPE) {
            problems.add(where + "the path is not Type, Type/id or Type/id/_history/version");
        }
        if (instance && !params.isEmpty()) {
            problems.add(where + "a path with an id takes no parameters");
        }
        if (!instance && params.isEmpty()) {
            problems.add(where + "a type without parameters opens every resource of it; name _id or identifier");
        }
        String type = String.valueOf(url.type());
        params.forEach((name, value) -> value(type, name, value, open, where, problems));
    }

    private static void value(String type, String name, String value, boolean open, String where,
            List<String> problems) {
        if (!EXACT.contains(name) && !(type.equals(GUIDE) && name.equals(GUIDE_NAME))) {
            problems.add(where + "only _id and identifier can be named (" + GUIDE_NAME + " of " + GUIDE + " too), not "
                    + name);
        }
        if (value.equals(ANY) && open) {
            problems.add(where + "ANY_VALUE for " + name + " opens every resource of the type; give the exact value");
        } else if (!value.equals(ANY) && !VALUE.matcher(value).matches()) {
            problems.add(where + "the value of " + name + " must be one exact value (no comma, no blank, no empty code)");
        }
    }
}
