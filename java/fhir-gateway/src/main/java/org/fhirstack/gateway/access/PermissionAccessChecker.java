package org.fhirstack.gateway.access;

import com.google.fhir.gateway.interfaces.AccessChecker;
import com.google.fhir.gateway.interfaces.RequestDetailsReader;
import java.util.Set;
import org.fhirstack.gateway.Refusal;
import org.fhirstack.gateway.request.FhirUrl;
import org.fhirstack.gateway.request.GatewayRequest;
import org.fhirstack.gateway.request.Query;
import org.fhirstack.gateway.sync.Existing;
import org.fhirstack.gateway.sync.IgnoreRules;
import org.fhirstack.gateway.sync.Reading;
import org.fhirstack.gateway.sync.SyncFilters;
import org.fhirstack.gateway.token.User;

/**
 * The access checker {@code permission}: realm roles for everyone, sync filters for Android users. Everything that is
 * not known to be right is refused.
 */
public final class PermissionAccessChecker implements AccessChecker {

    /** What all checkers share. */
    public record Services(AllowList allowList, IgnoreRules ignoreRules, SyncFilters filters, Existing existing,
            PageLinks links) {
    }

    private static final Set<String> PLAIN_READ = Set.of("_format", "_pretty", "_summary", "_elements");
    private static final Set<String> HISTORY = Set.of("_format", "_pretty", "_count", "_since", "_at", "_offset",
            "_summary", "_elements");
    private static final Set<String> EVERYTHING = Set.of("_format", "_pretty", "_count", "_since", "_lastUpdated",
            "_type", "_offset");
    private static final Set<String> EXPANSION = Set.of("_format", "_pretty", "url", "filter", "count", "offset");
    private static final Set<String> PARTIAL = Set.of("_summary", "_elements");
    private static final String LOCATIONS = "_syncLocations";
    /** What OpenSRP's gateway takes for itself; the second says how it looks for the first. */
    private static final Set<String> OURS = Set.of(LOCATIONS, "filter_mode_lineage");

    private final User user;
    private final Services services;

    public PermissionAccessChecker(User user, Services services) {
        this.user = user;
        this.services = services;
    }

    @Override
    public Verdict checkAccess(RequestDetailsReader details) {
        GatewayRequest request = (GatewayRequest) details;
        FhirUrl url = request.url();
        if (request.method().equals("GET") && url.type() != null) {
            Verdict open = new AnonymousRules(services).read(url, request.query(), user);
            if (open != null && (open.rule() != AnswerRule.NOTHING || !user.may("GET", url.type()))) {
                return open;
            }
        }
        String chosen = request.query().plus(request.form()).single(LOCATIONS);
        Query query = request.query().without(OURS);
        Access access = new Access(user, services.ignoreRules(), services.filters(), services.existing(), chosen);
        return switch (url.kind()) {
            case BASE -> base(request, query, access);
            case TYPE -> switch (request.method()) {
                case "GET" -> search(access, url.type(), query);
                case "POST" -> new WriteRules(access).create(request, query);
                case "PUT" -> new WriteRules(access).conditionalUpdate(request, query);
                case "DELETE" -> new WriteRules(access).conditionalDelete(url.type(), query);
                default -> throw wrongMethod();
            };
            case TYPE_SEARCH -> typeSearch(request, query, access);
            case INSTANCE -> switch (request.method()) {
                case "GET" -> read(access, url, query, request);
                case "PUT" -> new WriteRules(access).update(request, query);
                case "PATCH" -> new WriteRules(access).patch(request, query);
                case "DELETE" -> new WriteRules(access).delete(request, query);
                default -> throw wrongMethod();
            };
            case VERSION -> {
                needGet(request);
                yield read(access, url, query, request);
            }
            case TYPE_HISTORY, INSTANCE_HISTORY -> {
                needGet(request);
                yield history(access, url, query);
            }
            case INSTANCE_OPERATION -> everything(request, query, access);
            case SYSTEM_HISTORY -> throw Refusal.denied("system", "The history of the whole server is not allowed.");
            case SYSTEM_SEARCH -> throw Refusal.denied("system", "Searching all types is not allowed.");
            case COMPARTMENT -> throw Refusal.denied("compartment", "Compartment searches are not allowed; search "
                    + "the type itself.");
            case TYPE_OPERATION -> expansion(request, query);
            case SYSTEM_OPERATION -> throw Refusal.denied("operation", "The operation "
                    + url.operation() + " is not allowed.");
            default -> throw wrongMethod();
        };
    }

    private static Refusal wrongMethod() {
        return new Refusal(405, "method", "This method is not allowed here.");
    }

    private static void needGet(GatewayRequest request) {
        if (!request.method().equals("GET")) {
            throw wrongMethod();
        }
    }

    static Query only(Query query, Set<String> allowed) {
        if (!query.onlyHas(allowed)) {
            throw Refusal.malformed("This interaction takes no such parameters.");
        }
        query.params().forEach(p -> query.single(p.name()));
        String format = query.single("_format");
        if (format != null) {
            SearchRules.of("Basic", Query.of("_format", format));
        }
        return query;
    }

    private Verdict base(GatewayRequest request, Query query, Access access) {
        if (request.method().equals("GET")) {
            if (!query.has("_getpages")) {
                throw Refusal.denied("system", "Searching all types is not allowed.");
            }
            return page(request.query());
        }
        if (!request.method().equals("POST")) {
            throw wrongMethod();
        }
        only(query, WriteRules.CONTROL);
        return new BundleRules(access).judge(BodyRules.resource(request.content(), "Bundle"), query);
    }

    private Verdict page(Query query) {
        AnswerRule.Page page = services.links().verify(query, user);
        user.need("GET", page.type());
        Reading reading = null;
        if (user.android()) {
            reading = services.filters().reading(user, page.locations());
            if (!page.mode().everybodys() && (reading.filter() == null
                    || !page.filter().equals(reading.filter().fingerprint()))) {
                throw Refusal.denied("page-link", "Your assignments have changed; search again.");
            }
        }
        Query asked = query.without(Set.of(PageLinks.PARAM, PageLinks.SINCE));
        Query forwarded = switch (page.mode()) {
            case PLAIN -> asked;
            case EVERYTHING, EVERYBODYS -> Search.withTags(asked);
            case INCLUDES, HISTORY, EVERYBODYS_HISTORY -> asked.without(PARTIAL);
        };
        return new Verdict(Outgoing.get("", forwarded), new AnswerRule.Pages(page), reading, Set.of(), "page");
    }

    private Verdict search(Access access, String type, Query query) {
        user.need("GET", type);
        Search search = Search.of(access, type, query);
        return new Verdict(Outgoing.search(type, search.query()), new AnswerRule.Pages(search.page()),
                search.reading(), Set.of(), search.reason());
    }

    private Verdict typeSearch(GatewayRequest request, Query query, Access access) {
        String type = request.url().type();
        if (request.method().equals("GET")) {
            return search(access, type, query);
        }
        if (!request.method().equals("POST")) {
            throw wrongMethod();
        }
        user.need("GET", type);
        Search search = Search.of(access, type, query.plus(request.form().without(OURS)));
        Outgoing form = new Outgoing("POST", type + "/_search", Query.EMPTY,
                "application/x-www-form-urlencoded; charset=UTF-8",
                search.query().encode().getBytes(java.nio.charset.StandardCharsets.US_ASCII), java.util.Map.of());
        return new Verdict(form, new AnswerRule.Pages(search.page()), search.reading(), Set.of(),
                search.reason());
    }

    private Verdict read(Access access, FhirUrl url, Query query, GatewayRequest request) {
        user.need("GET", url.type());
        only(query, PLAIN_READ);
        if (user.android()) {
            boolean filtered = access.filtered("GET", url.type(), query, url.id());
            if (url.version() != null) {
                Existing.Current current = services.existing().of(url.type(), url.id());
                if (filtered && current == null) {
                    throw Refusal.outside(url.type() + "/" + url.id(), false);
                }
                access.needReadable(current, url.type(), url.id(), filtered);
            }
            return new Verdict(Outgoing.get(url.path(), query.without(PARTIAL)), filtered ? AnswerRule.TAGGED
                    : AnswerRule.EVERYBODYS, access.reading(filtered), Set.of(), filtered ? "read-judged" : "read");
        }
        return Verdict.pass(Outgoing.get(url.path(), query)
                .with("If-None-Match", request.header("If-None-Match"))
                .with("If-Modified-Since", request.header("If-Modified-Since")), "read");
    }

    private Verdict history(Access access, FhirUrl url, Query query) {
        user.need("GET", url.type());
        only(query, HISTORY);
        if (user.android() && url.id() == null) {
            throw Refusal.denied("type-history", "The history of a whole type is not allowed for Android users.");
        }
        if (!user.android()) {
            return new Verdict(Outgoing.get(url.path(), query), new AnswerRule.Pages(new AnswerRule.Page(url.type(),
                    AnswerRule.Mode.PLAIN, "", "")), null, Set.of(), "history");
        }
        boolean filtered = access.filtered("GET", url.type(), Query.EMPTY, url.id());
        // A part of a history need not have the present version in it.
        access.needReadable(services.existing().of(url.type(), url.id()), url.type(), url.id(), filtered);
        return new Verdict(Outgoing.get(url.path(), query.without(PARTIAL)), new AnswerRule.Pages(new AnswerRule.Page(
                url.type(), filtered ? AnswerRule.Mode.HISTORY : AnswerRule.Mode.EVERYBODYS_HISTORY,
                filtered ? access.filter().fingerprint() : "", access.chosenLocations())), access.reading(filtered),
                Set.of(), "history-judged");
    }

    /** The codes of a value set, which FHIR Web's forms offer; of terminology only, and of what the store holds. */
    private Verdict expansion(GatewayRequest request, Query query) {
        FhirUrl url = request.url();
        if (!url.type().equals("ValueSet") || !url.operation().equals("$expand") || !request.method().equals("GET")) {
            throw Refusal.denied("operation", "The operation " + url.operation() + " is not allowed.");
        }
        user.need("GET", "ValueSet");
        only(query, EXPANSION);
        if (!query.has("url")) {
            throw Refusal.malformed("An expansion needs the parameter url, the canonical URL of a value set.");
        }
        return Verdict.pass(Outgoing.get(url.path(), query), "expansion");
    }

    private Verdict everything(GatewayRequest request, Query query, Access access) {
        FhirUrl url = request.url();
        if (!url.type().equals("Patient") || url.version() != null || !url.operation().equals("$everything")
                || !request.method().equals("GET")) {
            throw Refusal.denied("operation", "The operation " + url.operation() + " is not allowed.");
        }
        user.need("GET", "Patient");
        only(query, EVERYTHING);
        Reading reading = null;
        if (user.android()) {
            reading = access.reading(true);
            if (access.filtered("GET", "Patient", Query.EMPTY, url.id())) {
                access.needInside(services.existing().of("Patient", url.id()), "Patient", url.id(), true);
            }
        }
        return new Verdict(Outgoing.get(url.path(), query), new AnswerRule.Pages(new AnswerRule.Page("Patient",
                AnswerRule.Mode.EVERYTHING, reading == null ? "" : reading.filter().fingerprint(), access.chosenLocations())),
                reading, Set.of(), "everything");
    }
}
