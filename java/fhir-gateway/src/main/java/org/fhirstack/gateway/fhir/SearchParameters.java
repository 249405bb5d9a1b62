package org.fhirstack.gateway.fhir;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;

/**
 * The search parameters of FHIR R4, as HAPI knows them: where those that are references lead, and whether to one
 * resource at most. The build writes the table ({@code src/main/definitions}).
 */
public final class SearchParameters {
    private static final String NO_ELEMENT = "-";
    private static final String ANY = "*";
    /** Parameters that every type has; none is a reference. */
    private static final Set<String> COMMON = Set.of("_id", "_tag", "_profile", "_security", "_source",
            "_lastUpdated", "_language");

    /**
     * A parameter of one type.
     *
     * @param element the element of the type that it reads, {@link #NO_ELEMENT} when it lies deeper or in several
     * @param targets types that it refers to; empty when it is no reference
     */
    private record Parameter(String element, Set<String> targets) {
    }

    private static final Map<String, Map<String, Parameter>> ALL = load();

    private SearchParameters() {
    }

    /** True when resources of a type can be searched by a parameter. */
    public static boolean has(String type, String name) {
        return COMMON.contains(name) || parameter(type, name) != null;
    }

    /** The types that a reference parameter leads to; empty when it is none. */
    public static Set<String> targets(String type, String name) {
        Parameter parameter = parameter(type, name);
        return parameter == null ? Set.of() : parameter.targets().contains(ANY) ? ALL.keySet() : parameter.targets();
    }

    /** True when a resource of the type has one such reference at most. */
    public static boolean single(String type, String name) {
        Parameter parameter = parameter(type, name);
        Definitions.Element element = parameter == null ? null : Definitions.of(type).get(parameter.element());
        return element != null && !element.repeats();
    }

    private static Parameter parameter(String type, String name) {
        return ALL.getOrDefault(type, Map.of()).get(name);
    }

    private static Map<String, Map<String, Parameter>> load() {
        Map<String, Map<String, Parameter>> all = new HashMap<>();
        try (InputStream in = SearchParameters.class.getResourceAsStream("/fhir-r4-search-parameters.txt");
                BufferedReader lines = new BufferedReader(new InputStreamReader(in, StandardCharsets.US_ASCII))) {
            Map<String, Parameter> parameters = Map.of();
            for (String line = lines.readLine(); line != null; line = lines.readLine()) {
                String[] words = line.split(" ");
                if (words[0].equals("#")) {
                    parameters = new HashMap<>();
                    all.put(words[1], parameters);
                } else {
                    parameters.put(words[0], new Parameter(words[1], Set.copyOf(new TreeSet<>(Arrays.asList(words)
                            .subList(2, words.length)))));
                }
            }
            return all;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
