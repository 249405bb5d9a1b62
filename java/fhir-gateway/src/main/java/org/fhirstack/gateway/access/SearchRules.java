package org.fhirstack.gateway.access;

import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import org.fhirstack.gateway.Refusal;
import org.fhirstack.gateway.request.FhirTypes;
import org.fhirstack.gateway.request.FhirUrl;
import org.fhirstack.gateway.request.Query;

/**
 * Finds out what else a search reads besides its own type. A parameter that can reach other resources in a way that is
 * not spelled out is refused.
 */
public final class SearchRules {
    private static final Set<String> MODIFIERS = Set.of("missing", "exact", "contains", "not", "text", "in", "not-in",
            "below", "above", "identifier", "of-type");
    private static final Set<String> COMMON = Set.of("_id", "_tag", "_profile", "_security", "_source",
            "_lastUpdated", "_language");
    /** Where a page starts; FHIR Web asks with the second, which HAPI takes without a page id too. */
    private static final Set<String> START = Set.of("_offset", "_getpagesoffset");
    private static final Set<String> ONCE = Set.of("_count", "_offset", "_getpagesoffset", "_total", "_summary",
            "_elements", "_pretty", "_format", "_contained");
    private static final Set<String> REFUSED = Set.of("_filter", "_query", "_text", "_content", "_contained",
            "_containedType");

    private final String base;
    private final Set<String> reached = new LinkedHashSet<>();
    private final Set<String> included = new LinkedHashSet<>();
    private final List<Chain> chains = new ArrayList<>();
    private boolean includes;

    private SearchRules(String base) {
        this.base = base;
    }

    /**
     * What a search reaches.
     *
     * @param reached  types that decide which resources match ({@code _has}, {@code _list})
     * @param included types that are named as included
     * @param includes true when the answer can hold entries of other types
     * @param chains   parameters that go through references; see {@link ChainRules}
     */
    public record Reach(Set<String> reached, Set<String> included, boolean includes, List<Chain> chains) {
    }

    /** A parameter such as {@code subject:Patient.organization}: its links, and what the last resource is asked. */
    public record Chain(String name, List<Link> links, String last) {
    }

    /** One link of a chain; {@code type} is null where none is named. */
    public record Link(String parameter, String type) {
    }

    public static Reach of(String type, Query query) {
        SearchRules rules = new SearchRules(type);
        if (START.stream().filter(query::has).count() > 1) {
            throw Refusal.malformed("A search starts at _offset or at _getpagesoffset, not at both.");
        }
        for (Query.Param p : query.params()) {
            if (ONCE.contains(p.name())) {
                query.single(p.name());
            }
            rules.top(p.name(), p.value());
        }
        return new Reach(rules.reached, rules.included, rules.includes, List.copyOf(rules.chains));
    }

    private void top(String name, String value) {
        String plain = name.indexOf(':') < 0 ? name : name.substring(0, name.indexOf(':'));
        if (REFUSED.contains(plain) && !(name.equals("_contained") && value.equals("false"))) {
            throw Refusal.denied("parameter", "The parameter " + plain + " is not allowed: what it reads cannot be"
                    + " judged.");
        }
        switch (plain) {
            case "_include", "_revinclude" -> include(name, value);
            case "_sort" -> sort(name, value);
            case "_list" -> list(name, value);
            case "_format" -> format(name, value);
            case "_total" -> oneOf(name, value, "none", "estimate", "accurate");
            case "_summary" -> oneOf(name, value, "true", "false", "text", "data", "count");
            case "_count", "_offset", "_getpagesoffset" -> number(name, value);
            case "_elements", "_pretty", "_contained" -> plain(name);
            default -> criterion(name, 0);
        }
    }

    private void criterion(String name, int depth) {
        if (depth > 5) {
            throw Refusal.malformed("A search parameter is chained too deeply.");
        }
        if (name.startsWith("_has:")) {
            String[] s = name.split(":", 4);
            if (s.length != 4) {
                throw Refusal.malformed("_has needs a type, a reference and a parameter.");
            }
            reached.add(type(s[1]));
            word(s[2]);
            criterion(s[3], depth + 1);
            return;
        }
        List<Link> links = new ArrayList<>();
        String rest = name;
        for (int dot = rest.indexOf('.'); dot >= 0 && !rest.startsWith("_has:"); dot = rest.indexOf('.')) {
            links.add(link(rest.substring(0, dot)));
            rest = rest.substring(dot + 1);
        }
        if (!links.isEmpty()) {
            chain(name, links, rest, depth);
            return;
        }
        String[] s = name.split(":", -1);
        if (s.length > 2) {
            throw Refusal.malformed("A search parameter has two modifiers.");
        }
        if (s[0].startsWith("_") ? !COMMON.contains(s[0]) : s[0].isEmpty()) {
            throw Refusal.malformed("The parameter " + s[0] + " is not allowed here.");
        }
        word(s[0]);
        if (s.length == 2 && !MODIFIERS.contains(s[1]) && !FhirTypes.known(s[1])) {
            throw Refusal.malformed("A search parameter has a modifier that is not allowed.");
        }
    }

    private static Link link(String text) {
        String[] head = text.split(":", -1);
        if (head.length > 2) {
            throw Refusal.malformed("A link of a chain is a parameter, or a parameter with a type.");
        }
        word(head[0]);
        return new Link(head[0], head.length == 1 ? null : type(head[1]));
    }

    private void chain(String name, List<Link> links, String last, int depth) {
        if (depth == 0) {
            chains.add(new Chain(name, List.copyOf(links), last));
        } else {
            for (Link link : links) {
                if (link.type() == null) {
                    throw Refusal.malformed("A chain inside _has must name the types that it goes through.");
                }
                reached.add(link.type());
            }
        }
        criterion(last, depth + links.size());
    }

    private void include(String name, String value) {
        boolean reverse = name.startsWith("_revinclude");
        int colon = name.indexOf(':');
        if (colon >= 0) {
            oneOf("_include", name.substring(colon + 1), "iterate", "recurse");
        }
        includes = true;
        if (value.equals("*")) {
            return;
        }
        String[] s = value.split(":", -1);
        if (s.length < 2 || s.length > 3) {
            throw Refusal.malformed("An include must be Type:parameter or Type:parameter:Type.");
        }
        String source = type(s[0]);
        if (!s[1].equals("*")) {
            word(s[1]);
        }
        if (reverse) {
            included.add(source);
        } else if (colon < 0 && !source.equals(base)) {
            throw Refusal.malformed("An include must start with the type that is searched.");
        }
        if (s.length == 3) {
            String target = type(s[2]);
            if (!reverse) {
                included.add(target);
            }
        }
    }

    /** Sorting by what another resource holds tells what it holds. Empty keys, which FHIR Web sends, sort nothing. */
    private static void sort(String name, String value) {
        plain(name);
        for (String key : value.split(",")) {
            if (!key.isEmpty()) {
                word(key.startsWith("-") ? key.substring(1) : key);
            }
        }
    }

    private void list(String name, String value) {
        plain(name);
        for (String id : value.split(",", -1)) {
            if (!FhirUrl.validId(id)) {
                throw Refusal.malformed("_list takes ids of lists.");
            }
        }
        reached.add("List");
    }

    private static void format(String name, String value) {
        plain(name);
        if (!List.of("json", "application/json", "application/fhir+json", "application/fhir json").contains(value)) {
            throw Refusal.malformed("Only JSON is served.");
        }
    }

    private static void plain(String name) {
        if (name.indexOf(':') >= 0) {
            throw Refusal.malformed("A control parameter takes no modifier.");
        }
    }

    private static void number(String name, String value) {
        plain(name);
        if (!value.matches("[0-9]{1,9}")) {
            throw Refusal.malformed("The parameter " + name + " must be a number.");
        }
    }

    private static void oneOf(String name, String value, String... allowed) {
        plain(name);
        if (!List.of(allowed).contains(value)) {
            throw Refusal.malformed("The parameter " + name + " has a value that is not allowed.");
        }
    }

    private static String type(String name) {
        if (!FhirTypes.known(name)) {
            throw Refusal.malformed("A search parameter names a type that FHIR R4 does not have.");
        }
        return name;
    }

    private static void word(String name) {
        if (!name.matches("[A-Za-z_][A-Za-z0-9_-]{0,63}")) {
            throw Refusal.malformed("A search parameter has a name that cannot be one.");
        }
    }
}
