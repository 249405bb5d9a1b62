package org.fhirstack.gateway.request;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import javax.xml.stream.XMLInputFactory;
import javax.xml.stream.XMLStreamException;
import javax.xml.stream.XMLStreamReader;
import org.fhirstack.gateway.Json;

/**
 * FHIR R4's own definitions: where the search parameters of a type lead, and whether to one resource at most. Read from
 * HL7's files, as HAPI publishes them in {@code hapi-fhir-validation-resources-r4}.
 */
public final class SearchParameters {
    private static final String MODEL = "/org/hl7/fhir/r4/model/";
    private static final Pattern ELEMENT = Pattern.compile("\\(?(\\w+)\\.(\\w+)(?:\\.where\\(resolve\\(\\) is \\w+\\))?\\)?");
    /** Parameters that every type has; none is a reference. */
    private static final Set<String> COMMON = Set.of("_id", "_tag", "_profile", "_security", "_source",
            "_lastUpdated", "_language");

    /**
     * A parameter of one type.
     *
     * @param targets types that it refers to; empty when it is no reference
     * @param element the element of the type that holds the reference, null when it lies deeper or in several
     */
    private record Parameter(Set<String> targets, String element) {
    }

    private final Map<String, Map<String, Parameter>> byType = new HashMap<>();
    private final Map<String, Set<String>> single = new ConcurrentHashMap<>();

    private SearchParameters() {
    }

    /** Reads the definitions, once a process: a tenth of a second. */
    public static SearchParameters standard() {
        return Standard.READ;
    }

    private static final class Standard {
        private static final SearchParameters READ = read();

        private Standard() {
        }
    }

    private static SearchParameters read() {
        SearchParameters all = new SearchParameters();
        try (InputStream in = SearchParameters.class.getResourceAsStream(MODEL + "sp/search-parameters.json")) {
            for (JsonNode entry : Json.parse(in.readAllBytes()).path("entry")) {
                JsonNode definition = entry.path("resource");
                definition.path("base").forEach(base -> all.byType.computeIfAbsent(base.asText(), t -> new HashMap<>())
                        .put(definition.path("code").asText(), parameter(definition, base.asText())));
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return all;
    }

    private static Parameter parameter(JsonNode definition, String base) {
        Set<String> targets = new HashSet<>();
        if (definition.path("type").asText().equals("reference")) {
            definition.path("target").forEach(t -> targets.add(t.asText()));
        }
        String element = null;
        int paths = 0;
        for (String path : definition.path("expression").asText().split("\\|")) {
            if (path.contains(base + ".")) {
                Matcher m = ELEMENT.matcher(path.strip());
                element = m.matches() && m.group(1).equals(base) ? m.group(2) : null;
                paths++;
            }
        }
        return new Parameter(Set.copyOf(targets), paths == 1 ? element : null);
    }

    /** True when resources of a type can be searched by a parameter. */
    public boolean has(String type, String name) {
        return COMMON.contains(name) || parameter(type, name) != null;
    }

    /** The types that a reference parameter leads to; empty when it is none. */
    public Set<String> targets(String type, String name) {
        Parameter parameter = parameter(type, name);
        return parameter == null ? Set.of() : parameter.targets();
    }

    /** True when a resource of the type has one such reference at most. */
    public boolean single(String type, String name) {
        Parameter parameter = parameter(type, name);
        return parameter != null && parameter.element() != null
                && single.computeIfAbsent(type, SearchParameters::singleElements).contains(parameter.element());
    }

    private Parameter parameter(String type, String name) {
        return byType.getOrDefault(type, Map.of()).get(name);
    }

    /** The elements of a type that do not repeat, from its XML schema. */
    private static Set<String> singleElements(String type) {
        Set<String> found = new HashSet<>();
        XMLInputFactory factory = XMLInputFactory.newDefaultFactory();
        factory.setProperty(XMLInputFactory.SUPPORT_DTD, false);
        try (InputStream in = SearchParameters.class.getResourceAsStream(MODEL + "schema/" + type.toLowerCase(
                Locale.ROOT) + ".xsd")) {
            XMLStreamReader xml = factory.createXMLStreamReader(in);
            boolean inside = false;
            while (xml.hasNext()) {
                int event = xml.next();
                if (event == XMLStreamReader.START_ELEMENT && xml.getLocalName().equals("complexType")) {
                    inside = type.equals(xml.getAttributeValue(null, "name"));
                } else if (event == XMLStreamReader.START_ELEMENT && inside && xml.getLocalName().equals("element")
                        && "1".equals(xml.getAttributeValue(null, "maxOccurs"))) {
                    found.add(xml.getAttributeValue(null, "name"));
                }
            }
            return found;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        } catch (XMLStreamException e) {
            throw new IllegalStateException(type + ".xsd cannot be read", e);
        }
    }
}
