package org.fhirstack.gateway.fhir;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.Map;

/**
 * The elements of FHIR R4, as HAPI knows them. The build writes the table from HAPI's own model
 * ({@code src/main/definitions}), so the two cannot differ, and no model class is loaded here.
 */
public final class Definitions {
    /**
     * What stands in JSON. A code is a text whose spaces at both ends HAPI drops; a contained resource is one that
     * contains none.
     */
    enum Kind { TEXT, CODE, NUMBER, BOOLEAN, RESOURCE, CONTAINED, COMPLEX }

    /**
     * One element.
     *
     * @param type    the definition of a COMPLEX one, else empty
     * @param sparse  its list may hold null, because another list beside it fills the place
     * @param choice  the choice that it is one of, such as {@code value}; empty when it is of none
     */
    record Element(boolean repeats, Kind kind, String type, boolean sparse, String choice) {

        boolean scalar() {
            return kind.compareTo(Kind.RESOURCE) < 0;
        }

        /** A type that resources share, such as Coding; not a part of one resource, nor what stands beside a scalar. */
        boolean dataType() {
            return kind == Kind.COMPLEX && !sparse && type.indexOf('.') < 0;
        }

        /** A code and any other text are of one shape: what is copied is judged where it comes to stand. */
        boolean sameShape(Element other) {
            return repeats == other.repeats && type.equals(other.type)
                    && (kind == other.kind || written() && other.written());
        }

        private boolean written() {
            return kind == Kind.TEXT || kind == Kind.CODE;
        }

        Element single() {
            return new Element(false, kind, type, false, "");
        }
    }

    /** What a scalar can have beside its value, in {@code _name}. */
    private static final String BESIDE = "Element";
    private static final Map<String, Map<String, Element>> ALL = load();

    private Definitions() {
    }

    /** True for the name of a resource type. */
    public static boolean resource(String type) {
        return type.indexOf('.') < 0 && ALL.containsKey(type) && ALL.get(type).containsKey("implicitRules");
    }

    /** The elements of a resource, data type or part of one, by name. */
    static Map<String, Element> of(String type) {
        return ALL.get(type);
    }

    /** The element of that name in JSON, also of what stands beside a scalar; null when there is none. */
    static Element element(Map<String, Element> elements, String name) {
        if (!name.startsWith("_")) {
            return elements.get(name);
        }
        Element value = elements.get(name.substring(1));
        // Ids, and an extension's url, are attributes: nothing stands beside them.
        boolean attribute = name.equals("_id") || name.equals("_url") && elements == of("Extension");
        return value == null || !value.scalar() || attribute ? null
                : new Element(value.repeats(), Kind.COMPLEX, BESIDE, value.repeats(), value.choice());
    }

    /** All resource types' elements. */
    static Iterable<Map<String, Element>> resources() {
        return ALL.entrySet().stream().filter(e -> resource(e.getKey())).map(Map.Entry::getValue).toList();
    }

    private static Map<String, Map<String, Element>> load() {
        Map<String, Map<String, Element>> all = new HashMap<>();
        Map<String, Element> known = new HashMap<>();
        Map<String, String> names = new HashMap<>();
        try (InputStream in = Definitions.class.getResourceAsStream("/fhir-r4-elements.txt");
                BufferedReader lines = new BufferedReader(new InputStreamReader(in, StandardCharsets.US_ASCII))) {
            Map<String, Element> elements = Map.of();
            for (String line = lines.readLine(); line != null; line = lines.readLine()) {
                String[] words = line.split(" ");
                if (words[0].equals("#")) {
                    elements = new HashMap<>();
                    all.put(words[1], elements);
                } else {
                    elements.put(names.computeIfAbsent(words[0], name -> name), known.computeIfAbsent(words[1] + " "
                            + (words[0].equals("contained") ? words[0] : words[2]) + " "
                            + (words.length > 3 ? words[3] : ""), Definitions::element));
                }
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        all.put(BESIDE, Map.of("id", all.get("Extension").get("id"), "extension", all.get("Extension").get("extension")));
        return all;
    }

    private static Element element(String line) {
        String[] words = line.split(" ", -1);
        Kind kind = switch (words[1]) {
            case "string" -> Kind.TEXT;
            case "code" -> Kind.CODE;
            case "number" -> Kind.NUMBER;
            case "boolean" -> Kind.BOOLEAN;
            case "Resource" -> Kind.RESOURCE;
            case "contained" -> Kind.CONTAINED;
            default -> Kind.COMPLEX;
        };
        boolean repeats = words[0].equals("*");
        return new Element(repeats, kind, kind == Kind.COMPLEX ? words[1] : "",
                repeats && kind.compareTo(Kind.RESOURCE) < 0, words[2]);
    }
}
