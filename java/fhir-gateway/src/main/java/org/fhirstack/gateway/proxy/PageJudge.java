package org.fhirstack.gateway.proxy;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.util.List;
import org.fhirstack.gateway.Json;
import org.fhirstack.gateway.Refusal;
import org.fhirstack.gateway.access.AnswerRule;
import org.fhirstack.gateway.access.AnswerRule.Mode;
import org.fhirstack.gateway.access.PageLinks;
import org.fhirstack.gateway.request.Query;
import org.fhirstack.gateway.sync.IgnoreRules;
import org.fhirstack.gateway.sync.Reading;
import org.fhirstack.gateway.token.User;

/** Judges the entries of bundles for one user, and signs their page links. */
final class PageJudge {
    private final User user;
    private final Reading reading;
    private final IgnoreRules ignoreRules;
    private final PageLinks links;
    private final String backendBase;
    private final String what;

    /**
     * @param user    null for an answer to nobody in particular, whose page links are dropped
     * @param reading null when its reader may see all
     * @param what    whose history this may be, for refusals
     */
    PageJudge(User user, Reading reading, IgnoreRules ignoreRules, PageLinks links, String backendBase, String what) {
        this.user = user;
        this.reading = reading;
        this.ignoreRules = ignoreRules;
        this.links = links;
        this.backendBase = backendBase;
        this.what = what;
    }

    /** The judge of a page's entries; null when none is needed. */
    BundleStream.Entries entries(AnswerRule.Page page) {
        if (page.mode() == Mode.PLAIN) {
            return null;
        }
        // Every page of an Android user is judged; how an entry was found plays a part for included ones alone.
        boolean whole = page.mode() == Mode.INCLUDES;
        return (index, entry) -> keep(page, whole ? EntryFacts.read(entry) : EntryFacts.head(entry))
                ? entry : null;
    }

    /** The judge of the answers to a batch or transaction. */
    BundleStream.Entries answers(List<AnswerRule.Expected> expected) {
        return new BundleStream.Entries() {
            @Override
            public byte[] judge(int index, byte[] entry) throws IOException {
                if (index >= expected.size()) {
                    throw unlike(expected.size(), "more answers than there were entries");
                }
                return answer(expected.get(index), index, entry);
            }

            @Override
            public void end(int count) {
                if (count != expected.size()) {
                    throw unlike(count, "only " + count + " answers to " + expected.size() + " entries");
                }
            }
        };
    }

    /** An answer must be one that its request can have: nothing else shows whose answer it is. */
    private byte[] answer(AnswerRule.Expected expected, int index, byte[] entry) throws IOException {
        EntryFacts facts = EntryFacts.read(entry);
        if (facts.written() != null && !facts.written().equals(expected.type())) {
            throw unlike(index, "what was written is of type " + facts.written());
        }
        if (facts.type() == null || facts.type().equals("OperationOutcome")) {
            return entry;
        }
        if (!facts.type().equals(expected.page() == null ? expected.type() : "Bundle")) {
            throw unlike(index, "the answer is of type " + facts.type());
        }
        if (expected.page() != null) {
            return nested(Json.parse(entry), expected.page(), index);
        }
        if (expected.tagged() != null && !reading.may(facts.tags(), expected.tagged().everybodys())) {
            throw Refusal.outside("Bundle.entry[" + index + "]: this " + facts.type(), true);
        }
        return entry;
    }

    private static Refusal unlike(int index, String what) {
        return new Refusal(502, "backend-answer", "The FHIR server's answers do not fit the entries that were sent: "
                + "Bundle.entry[" + index + "], " + what + ". What it has written stays written.");
    }

    private byte[] nested(JsonNode answer, AnswerRule.Page page, int index) throws IOException {
        ObjectNode bundle = (ObjectNode) answer.path("resource");
        if (bundle.has("link")) {
            bundle.set("link", rewrite(bundle.path("link"), page));
        }
        ArrayNode kept = Json.array();
        for (JsonNode entry : bundle.path("entry")) {
            EntryFacts facts = EntryFacts.read(Json.write(entry));
            if (facts.type() != null && !facts.mode().equals("include") && !facts.type().equals("OperationOutcome")
                    && !facts.type().equals(page.type())) {
                throw unlike(index, "a " + facts.type() + " was found by a search of " + page.type());
            }
            if (page.mode() == Mode.PLAIN || keep(page, facts)) {
                kept.add(entry);
            }
        }
        if (bundle.has("entry")) {
            bundle.set("entry", kept);
        }
        return Json.write(answer);
    }

    private boolean keep(AnswerRule.Page page, EntryFacts facts) {
        Mode mode = page.mode();
        if (mode == Mode.HISTORY || mode == Mode.EVERYBODYS_HISTORY) {
            if (facts.type() != null && !reading.may(facts.tags(), mode.everybodys())) {
                throw Refusal.outside(what, true);
            }
            // A deletion carries no tags, so nothing shows whose it was.
            return facts.type() != null;
        }
        if (mode == Mode.INCLUDES && facts.mode().equals("match")) {
            return true;
        }
        if (facts.type() == null) {
            return false;
        }
        if (facts.type().equals("OperationOutcome")) {
            return true;
        }
        // Whether the type that was asked for may be read was judged with the request.
        boolean asked = facts.type().equals(page.type());
        return (asked || user != null && user.may("GET", facts.type())) && (reading == null
                || reading.may(facts.tags(), asked && mode.everybodys() || ignoreRules.openType(facts.type())));
    }

    BundleStream.Links links(AnswerRule.Page page) {
        return array -> Json.write(rewrite(Json.parse(array), page));
    }

    private ArrayNode rewrite(JsonNode array, AnswerRule.Page page) {
        ArrayNode out = Json.array();
        for (JsonNode link : array) {
            String url = link.path("url").asText("");
            int question = url.indexOf('?');
            if (question >= 0 && url.indexOf("_getpages=", question) > 0) {
                if (user == null || !(link instanceof ObjectNode changed)) {
                    continue;
                }
                Query query = Query.parse(url.substring(question + 1));
                String id = query.single("_getpages");
                changed.put("url", backendBase + "?" + query.plus(PageLinks.PARAM, links.sign(id, user, page)).encode());
            }
            out.add(link);
        }
        return out;
    }
}
