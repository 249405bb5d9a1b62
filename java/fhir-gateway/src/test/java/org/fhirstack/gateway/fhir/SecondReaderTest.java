package org.fhirstack.gateway.fhir;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import ca.uhn.fhir.context.FhirContext;
import ca.uhn.fhir.parser.DataFormatException;
import ca.uhn.fhir.parser.IParser;
import ca.uhn.fhir.parser.LenientErrorHandler;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.TreeSet;
import org.fhirstack.gateway.Cases;
import org.fhirstack.gateway.Json;
import org.fhirstack.gateway.Refusal;
import org.hl7.fhir.instance.model.api.IBaseResource;
import org.hl7.fhir.r4.model.Base;
import org.hl7.fhir.r4.model.Bundle;
import org.hl7.fhir.r4.model.Coding;
import org.hl7.fhir.r4.model.DomainResource;
import org.hl7.fhir.r4.model.Element;
import org.hl7.fhir.r4.model.IdType;
import org.hl7.fhir.r4.model.Reference;
import org.hl7.fhir.r4.model.Resource;
import org.junit.jupiter.api.Test;

/** HAPI's parser, as lenient as the server has it, understands of what the gateway writes what the gateway judged. */
class SecondReaderTest {
    private static final int DOCUMENTS = 3000;
    private final FhirContext fhir = FhirContext.forR4();

    @Test
    void bothReadTheSame() throws IOException {
        String given = System.getenv("FHIRSTACK_SEED");
        long seed = given == null ? System.nanoTime() : Long.parseLong(given);
        JsonNode good = Cases.read("second-reader.json");
        Mutations mutations = new Mutations(seed);
        int taken = 0;
        int refused = 0;
        for (int i = 0; i < DOCUMENTS; i++) {
            String text = mutations.of(good.get(i % good.size()));
            JsonNode judged;
            try {
                judged = Json.read(text.getBytes(StandardCharsets.UTF_8));
                Structure.check(judged);
            } catch (Refusal refusal) {
                assertEquals(400, refusal.status());
                refused++;
                continue;
            }
            IBaseResource read = read(judged);
            if (read != null) {
                taken++;
                assertEquals(facts(judged), facts((Resource) read), "FHIRSTACK_SEED=" + seed + " document " + i + ": " + text);
            }
        }
        String counts = "FHIRSTACK_SEED=" + seed + ": " + taken + " were taken and " + refused + " refused";
        assertTrue(taken > DOCUMENTS / 20 && refused > DOCUMENTS / 4, counts);
    }

    /** What HAPI makes of it; null when it refuses it, as it may. */
    private IBaseResource read(JsonNode judged) {
        IParser parser = fhir.newJsonParser();
        parser.setParserErrorHandler(new LenientErrorHandler(false));
        try {
            return parser.parseResource(new String(Json.write(judged), StandardCharsets.UTF_8));
        } catch (DataFormatException e) {
            return null;
        }
    }

    private static List<String> facts(JsonNode resource) {
        List<String> facts = new ArrayList<>();
        TreeSet<String> references = new TreeSet<>();
        references(resource, references);
        facts.add("references " + references);
        own(resource, "", facts);
        for (JsonNode entry : resource.path("entry")) {
            if (resource.path("resourceType").asText().equals("Bundle")) {
                JsonNode request = entry.path("request");
                facts.add("request " + text(request, "method") + " " + text(request, "url") + " "
                        + text(request, "ifNoneExist") + " " + text(request, "ifMatch"));
                own(named(entry), "entry ", facts);
            }
        }
        return facts;
    }

    /** HAPI names a resource that has no id by its fullUrl; where it is written is the request's URL, which is judged. */
    private static JsonNode named(JsonNode entry) {
        JsonNode resource = entry.path("resource");
        String fullUrl = text(entry, "fullUrl");
        return resource.isMissingNode() || !text(resource, "id").isEmpty() || fullUrl.isEmpty() ? resource
                : resource.<ObjectNode>deepCopy().put("id", known(new IdType(fullUrl).getIdPart()));
    }

    private static void own(JsonNode resource, String where, List<String> facts) {
        if (resource.isMissingNode()) {
            return;
        }
        facts.add(where + text(resource, "resourceType") + "/" + text(resource, "id"));
        for (JsonNode tag : resource.path("meta").path("tag")) {
            if (!text(tag, "system").isEmpty() || !text(tag, "code").isEmpty()) {
                facts.add(where + "tag " + text(tag, "system") + "|" + text(tag, "code"));
            }
        }
        if (!resource.path("resourceType").asText().equals("Bundle")) {
            resource.path("contained").forEach(inner -> own(inner, where + "contained ", facts));
        }
    }

    private static void references(JsonNode node, TreeSet<String> references) {
        node.forEach(child -> references(child, references));
        if (node.path("reference").isTextual() && !node.path("reference").asText().isEmpty()) {
            references.add(node.path("reference").asText());
        }
    }

    private static String text(JsonNode node, String name) {
        return node.path(name).asText("");
    }

    private static List<String> facts(Resource resource) {
        List<String> facts = new ArrayList<>();
        TreeSet<String> references = new TreeSet<>();
        references(resource, references);
        facts.add("references " + references);
        own(resource, "", facts);
        if (resource instanceof Bundle bundle) {
            for (Bundle.BundleEntryComponent entry : bundle.getEntry()) {
                Bundle.BundleEntryRequestComponent request = entry.getRequest();
                facts.add("request " + (request.getMethod() == null ? "" : request.getMethod().toCode()) + " "
                        + known(request.getUrl()) + " " + known(request.getIfNoneExist()) + " "
                        + known(request.getIfMatch()));
                own(entry.getResource(), "entry ", facts);
            }
        }
        return facts;
    }

    private static void own(Resource resource, String where, List<String> facts) {
        if (resource == null) {
            return;
        }
        facts.add(where + resource.fhirType() + "/" + known(resource.getIdElement().getIdPart()).replaceFirst("^#", ""));
        for (Coding tag : resource.getMeta().getTag()) {
            if (!known(tag.getSystem()).isEmpty() || !known(tag.getCode()).isEmpty()) {
                facts.add(where + "tag " + known(tag.getSystem()) + "|" + known(tag.getCode()));
            }
        }
        if (resource instanceof DomainResource whole) {
            whole.getContained().forEach(inner -> own(inner, where + "contained ", facts));
        }
    }

    private static void references(Base node, TreeSet<String> references) {
        node.children().forEach(child -> child.getValues().forEach(value -> references(value, references)));
        if (node instanceof Element element) {
            // Backbone elements leave them out of their children.
            element.getExtension().forEach(extension -> references(extension, references));
        }
        if (node instanceof Reference reference && !known(reference.getReference()).isEmpty()) {
            references.add(reference.getReference());
        }
    }

    private static String known(String text) {
        return text == null ? "" : text;
    }
}
