package org.fhirstack.gateway.custom;

import com.fasterxml.jackson.databind.JsonNode;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.fhirstack.gateway.Json;
import org.fhirstack.gateway.Refusal;
import org.fhirstack.gateway.access.PermissionAccessChecker;
import org.fhirstack.gateway.access.Verdict;
import org.fhirstack.gateway.request.FhirUrl;
import org.fhirstack.gateway.request.GatewayRequest;
import org.fhirstack.gateway.request.Query;
import org.fhirstack.gateway.sync.Lookups;
import org.fhirstack.gateway.sync.Reading;
import org.fhirstack.gateway.sync.Tag;
import org.fhirstack.gateway.token.User;

/**
 * The mode {@code list-entries} of OpenSRP's gateway: a request for Lists is answered with what their entries refer to,
 * page by page. The Lists are found as any search is; of their entries come those whose type's role the user has and
 * which are inside the sync filter.
 */
final class ListEntries {
    private static final String HEADER = "FHIR-Gateway-Mode";
    private static final String MODE = "mode";
    private static final String NAME = "list-entries";
    private static final Pattern REFERENCE = Pattern.compile(
            "([A-Z][A-Za-z]+)/([A-Za-z0-9.-]{1,64})(?:/_history/[A-Za-z0-9.-]{1,64})?");
    /** What would leave out the entries, or bring in what is no List. */
    private static final Set<String> SHAPES = Set.of("_elements", "_summary", "_include", "_include:iterate",
            "_include:recurse", "_revinclude", "_revinclude:iterate", "_revinclude:recurse", "_getpagesoffset", "_offset");
    private static final int CHUNK = 40;
    private static final int MOST_ENTRIES = 20_000;
    private static final int MOST_BYTES = 24 << 20;
    private static final int PATIENCE_SECONDS = 60;

    private final Lookups lookups;
    /** Pages that are being read are large. */
    private final Semaphore loads = new Semaphore(2);

    ListEntries(Lookups lookups) {
        this.lookups = lookups;
    }

    /** True when a request asks for the entries of Lists; the app's older versions say it by a header. */
    static boolean asked(GatewayRequest request) {
        FhirUrl url = request.url();
        return "List".equals(url.type()) && (url.kind() == FhirUrl.Kind.TYPE || url.kind() == FhirUrl.Kind.INSTANCE
                || url.kind() == FhirUrl.Kind.TYPE_SEARCH) && request.method().equals("GET") && mode(request) != null;
    }

    private static String mode(GatewayRequest request) {
        String mode = request.query().single(MODE);
        return mode != null ? mode : request.header(HEADER);
    }

    Answer answer(GatewayRequest request, User user, PermissionAccessChecker.Services services, String base) {
        if (!NAME.equals(mode(request))) {
            throw Refusal.malformed("The mode of a request for Lists must be " + NAME + ".");
        }
        Query query = request.query().without(Set.of(MODE, "_page", "_count"));
        SHAPES.stream().filter(query::has).findAny().ifPresent(name -> {
            throw Refusal.malformed("The parameter " + name + " does not go with " + NAME + ".");
        });
        Paging paging = new Paging(Parameters.of(request.query()));
        GatewayRequest plain = new GatewayRequest(request.id(), "GET", request.url(), query, name -> null, new byte[0],
                Query.EMPTY);
        Verdict verdict = new PermissionAccessChecker(user, services).checkAccess(plain);
        acquire();
        try {
            List<String> references = references(verdict, request.url());
            List<Found> found = found(paging.of(references), user, services, chosen(request));
            SearchSet frame = paging.frame(references.size(), base + "/" + request.url().path());
            return new Answer(NAME, out -> frame.write(out, !found.isEmpty(), entries -> {
                for (Found one : found) {
                    SearchSet.entry(entries, base + "/" + one.reference(), o -> o.writeRawValue(one.text()));
                }
            }));
        } finally {
            loads.release();
        }
    }

    private void acquire() {
        try {
            if (!loads.tryAcquire(PATIENCE_SECONDS, TimeUnit.SECONDS)) {
                throw new Refusal(503, "busy", "Too many Lists are being read; try again soon.");
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new Refusal(503, "busy", "The gateway is stopping.");
        }
    }

    private record Found(String reference, String text) {
    }

    private static String chosen(GatewayRequest request) {
        String chosen = request.query().single("_syncLocations");
        return chosen == null ? "" : chosen;
    }

    /** What the entries of the Lists refer to, in their order, as {@code Type/id}. */
    private List<String> references(Verdict verdict, FhirUrl url) {
        List<String> references = new ArrayList<>();
        if (url.kind() == FhirUrl.Kind.INSTANCE) {
            JsonNode list = lookups.read("List", url.id());
            if (list == null || !seen(verdict, list)) {
                throw new Refusal(404, "not-found", "There is no List/" + url.id() + " for you.");
            }
            add(references, list);
        } else {
            lookups.each(verdict.outgoing(), "List", list -> {
                if (seen(verdict, list)) {
                    add(references, list);
                }
            });
        }
        return references;
    }

    private static boolean seen(Verdict verdict, JsonNode list) {
        return verdict.reading() == null || verdict.reading().may(Tag.of(list), verdict.rule().everybodys());
    }

    private static void add(List<String> references, JsonNode list) {
        for (JsonNode entry : list.path("entry")) {
            Matcher m = REFERENCE.matcher(entry.path("item").path("reference").asText());
            if (m.matches()) {
                references.add(m.group(1) + "/" + m.group(2));
            }
        }
        if (references.size() > MOST_ENTRIES) {
            throw new Refusal(413, "too-long", "These Lists have more than " + MOST_ENTRIES + " entries together.");
        }
    }

    private List<Found> found(List<String> page, User user, PermissionAccessChecker.Services services,
            String chosen) {
        Map<String, Set<String>> ids = new HashMap<>();
        page.forEach(r -> ids.computeIfAbsent(r.substring(0, r.indexOf('/')), t -> new LinkedHashSet<>())
                .add(r.substring(r.indexOf('/') + 1)));
        Map<String, String> texts = new HashMap<>();
        long[] bytes = {0};
        ids.forEach((type, some) -> {
            if (!user.may("GET", type)) {
                return;
            }
            Reading reading = user.android() ? services.filters().reading(user, chosen) : null;
            boolean everybodys = services.ignoreRules().openType(type);
            lookups.eachOf(type, "_id", List.copyOf(some), CHUNK, Query.EMPTY, resource -> {
                if (reading == null || reading.may(Tag.of(resource), everybodys)) {
                    String text = new String(Json.write(resource), StandardCharsets.UTF_8);
                    bytes[0] += text.length();
                    if (bytes[0] > MOST_BYTES) {
                        throw new Refusal(413, "too-long", "This page is too long; ask for fewer entries with _count.");
                    }
                    texts.put(type + "/" + resource.path("id").asText(), text);
                }
            });
        });
        return page.stream().filter(texts::containsKey).map(r -> new Found(r, texts.get(r))).toList();
    }
}
