package org.fhirstack.gateway.custom;

import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import org.fhirstack.gateway.Refusal;
import org.fhirstack.gateway.access.SearchRules;
import org.fhirstack.gateway.request.FhirUrl;
import org.fhirstack.gateway.request.GatewayRequest;
import org.fhirstack.gateway.request.Query;

/** The parameters of one request: none that is unknown, none given twice. */
final class Parameters {
    private static final Set<String> CONTROL = Set.of("_format", "_pretty");
    private final Query query;

    private Parameters(Query query) {
        this.query = query;
    }

    /** Those of the URL and of the form together; 400 when one is not known here. */
    static Parameters of(GatewayRequest request, Set<String> known) {
        Query query = request.query().plus(request.form());
        for (Query.Param p : query.params()) {
            if (!known.contains(p.name()) && !CONTROL.contains(p.name())) {
                throw Refusal.malformed("The parameter " + p.name() + " is not known to " + request.url().type() + ".");
            }
            query.single(p.name());
        }
        if (query.has("_format")) {
            SearchRules.of("Basic", Query.of("_format", query.single("_format")));
        }
        return new Parameters(query);
    }

    /** Those of a search, of whatever names. */
    static Parameters of(Query query) {
        return new Parameters(query);
    }

    Query query() {
        return query;
    }

    boolean has(String name) {
        return query.has(name);
    }

    /** The value, null when it was not given; 400 when it is blank. */
    String text(String name) {
        String value = query.single(name);
        if (value != null && value.isBlank()) {
            throw Refusal.malformed("The parameter " + name + " is empty.");
        }
        return value;
    }

    /** False when it was not given. */
    boolean flag(String name) {
        return oneOf(name, "false", "true", "false").equals("true");
    }

    /** The value, which must be one of these. */
    String oneOf(String name, String otherwise, String... allowed) {
        String value = text(name);
        if (value != null && !List.of(allowed).contains(value)) {
            throw Refusal.malformed("The parameter " + name + " must be " + String.join(" or ", allowed) + ".");
        }
        return value == null ? otherwise : value;
    }

    int number(String name, int otherwise) {
        String value = text(name);
        if (value != null && !value.matches("[0-9]{1,6}")) {
            throw Refusal.malformed("The parameter " + name + " must be a number.");
        }
        return value == null ? otherwise : Integer.parseInt(value);
    }

    /** Ids in their order, each once, at most so many; empty when the parameter was not given. */
    Set<String> ids(String name, int most) {
        Set<String> ids = new LinkedHashSet<>();
        String value = text(name);
        for (String id : value == null ? new String[0] : value.split(",", -1)) {
            if (!FhirUrl.validId(id.strip()) || ids.size() >= most) {
                throw Refusal.malformed("The parameter " + name + " must list at most " + most + " ids.");
            }
            ids.add(id.strip());
        }
        return ids;
    }
}
