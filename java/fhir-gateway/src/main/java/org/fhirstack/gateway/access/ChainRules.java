package org.fhirstack.gateway.access;

import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import org.fhirstack.gateway.Refusal;
import org.fhirstack.gateway.access.SearchRules.Link;
import org.fhirstack.gateway.fhir.SearchParameters;
import org.fhirstack.gateway.request.Query;
import org.fhirstack.gateway.token.User;

/**
 * Chained parameters, such as {@code subject.organization=…}. A chain finds a resource by what another one holds, so it
 * could be asked about any resource that an own one refers to, and whoever writes decides what that is. Therefore:
 * <ul>
 * <li>every type that a chain goes through needs the GET role;</li>
 * <li>where no type is named, those of FHIR's definition count that have the next parameter. When the user may read all
 * of them, the chain stays as it is (for Android users: when nothing of them is filtered); else it goes through the one
 * that is left, or through Patient;</li>
 * <li>for Android users each resource that a chain goes through must be inside the sync filter as well: the chain
 * {@code subject:Patient._tag} is added. That holds only where there is one reference at most, for of several the one
 * may be inside and the other be asked about; other chains through filtered types are refused.</li>
 * </ul>
 */
final class ChainRules {
    private final Access access;
    private final List<Query.Param> tags = new ArrayList<>();

    private ChainRules(Access access) {
        this.access = access;
    }

    /** The query as the backend gets it; 403 when a chain goes where the user may not. */
    static Query apply(Access access, String type, Query query, List<SearchRules.Chain> chains) {
        if (chains.isEmpty()) {
            return query;
        }
        ChainRules rules = new ChainRules(access);
        Query resolved = query;
        for (SearchRules.Chain chain : chains) {
            resolved = resolved.renamed(chain.name(), rules.resolve(type, chain));
        }
        for (Query.Param tag : rules.tags) {
            resolved = resolved.plus(tag.name(), tag.value());
        }
        return resolved;
    }

    private String resolve(String base, SearchRules.Chain chain) {
        StringBuilder name = new StringBuilder();
        String type = base;
        for (int i = 0; i < chain.links().size(); i++) {
            Link link = chain.links().get(i);
            boolean last = i == chain.links().size() - 1;
            String next = last ? chain.last() : chain.links().get(i + 1).parameter();
            String through = link.type() != null ? named(link) : through(type, link, next, last);
            name.append(link.parameter()).append(through == null ? "" : ":" + through);
            if (through != null && access.user.android() && !access.openType(through)) {
                if (!SearchParameters.single(type, link.parameter())) {
                    throw Refusal.denied("reach", "A search may not depend on resources of type " + through
                            + ", which are filtered for you, through " + type + "." + link.parameter() + ".");
                }
                Query.Param tag = new Query.Param(name + "._tag", access.filter().tagValue());
                if (!tags.contains(tag)) {
                    tags.add(tag);
                }
            }
            name.append('.');
            type = through;
        }
        return name.append(chain.last()).toString();
    }

    private String named(Link link) {
        access.user.need("GET", link.type());
        return link.type();
    }

    /** The type that a link without one goes through; null when it may go through all that there are. */
    private String through(String type, Link link, String next, boolean last) {
        Set<String> possible = new TreeSet<>();
        for (String target : SearchParameters.targets(type, link.parameter())) {
            if (last ? SearchParameters.has(target, plain(next)) : !SearchParameters.targets(target, next).isEmpty()) {
                possible.add(target);
            }
        }
        if (possible.isEmpty()) {
            throw Refusal.malformed("The chain " + type + "." + link.parameter() + "." + plain(next)
                    + " is not one of FHIR R4; name the type that it goes through, such as subject:Patient.name.");
        }
        User user = access.user;
        Set<String> left = new TreeSet<>(possible);
        left.removeIf(target -> !user.may("GET", target));
        if (left.isEmpty()) {
            throw Refusal.missingRole("GET", possible.contains("Patient") ? "Patient" : possible.iterator().next());
        }
        if (left.size() == 1) {
            return left.iterator().next();
        }
        if (last && left.equals(possible) && (!user.android() || left.stream().allMatch(access::openType))) {
            return null;
        }
        if (left.contains("Patient")) {
            return "Patient";
        }
        throw Refusal.denied("reach", "The chain " + type + "." + link.parameter() + " leads to several types; name"
                + " one: " + String.join(", ", left) + ".");
    }

    private static String plain(String criterion) {
        int colon = criterion.indexOf(':', criterion.startsWith("_has:") ? criterion.length() : 0);
        return colon < 0 ? criterion : criterion.substring(0, colon);
    }
}
