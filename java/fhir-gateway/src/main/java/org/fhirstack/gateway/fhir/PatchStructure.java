package org.fhirstack.gateway.fhir;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.fhirstack.gateway.ElementPath;
import org.fhirstack.gateway.Json;
import org.fhirstack.gateway.Refusal;
import org.fhirstack.gateway.fhir.Definitions.Element;
import org.fhirstack.gateway.fhir.Definitions.Kind;

/**
 * Checks that an operation of a JSON Patch leaves FHIR's own shape: what it puts somewhere must be what FHIR has there.
 * Below a contained resource, whose type a patch does not tell, it must be what some type has there.
 */
public final class PatchStructure {
    private static final Set<Element> TYPE_NAME = Set.of(new Element(false, Kind.CODE, "", false, ""));
    private static final Set<String> NAMES = Set.of("add", "remove", "replace", "move", "copy", "test");

    private PatchStructure() {
    }

    /** Checks one operation on a resource of this type and returns it with the members that it has by RFC 6902. */
    public static ObjectNode check(JsonNode operation, String type, ElementPath path) {
        String name = text(operation, "op", path);
        if (!NAMES.contains(name)) {
            throw path.member("op").refuse("there is no such operation in a JSON Patch.");
        }
        String to = text(operation, "path", path);
        Set<Element> there = elements(type, to, path.member("path"));
        ObjectNode out = Json.object().put("op", name).put("path", to);
        switch (name) {
            case "add", "replace", "test" -> {
                if (!operation.has("value")) {
                    throw path.refuse("this operation needs a value.");
                }
                out.set("value", name.equals("test") ? operation.get("value")
                        : value(operation.get("value"), there, path.member("value")));
            }
            case "move", "copy" -> {
                String from = text(operation, "from", path);
                // A difference of two texts copies what is equal from anywhere: "Patient" also from the resourceType.
                Set<Element> here = name.equals("copy") && last(from).equals("resourceType") ? TYPE_NAME
                        : elements(type, from, path.member("from"));
                if (here.stream().noneMatch(one -> there.stream().anyMatch(one::sameShape)) || last(to).equals("reference") && !last(from).equals("reference")) {
                    throw path.member("from").refuse("what stands there cannot stand at path.");
                }
                out.put("from", from);
            }
            default -> {
            }
        }
        return out;
    }

    private static String text(JsonNode operation, String name, ElementPath path) {
        if (!operation.isObject()) {
            throw path.refuse("a JSON Patch is a list of operations, each an object.");
        }
        if (!operation.path(name).isTextual()) {
            throw path.refuse("this operation needs " + name + ", a text.");
        }
        return operation.path(name).asText();
    }

    private static JsonNode value(JsonNode value, Set<Element> there, ElementPath path) {
        Refusal first = null;
        for (Element element : there) {
            try {
                return Structure.value(value.deepCopy(), element, path);
            } catch (Refusal refusal) {
                first = first == null ? refusal : first;
            }
        }
        throw first;
    }

    private static String last(String pointer) {
        return pointer.substring(pointer.lastIndexOf('/') + 1);
    }

    /** What can stand where a JSON pointer leads; an item of a list is an element that does not repeat. */
    private static Set<Element> elements(String type, String pointer, ElementPath path) {
        if (!pointer.startsWith("/")) {
            throw path.refuse("a path starts with a slash and names an element.");
        }
        Set<Element> here = Set.of(new Element(false, Kind.COMPLEX, type, false, ""));
        for (String token : pointer.substring(1).split("/", -1)) {
            String name = token.replace("~1", "/").replace("~0", "~");
            Set<Element> next = new LinkedHashSet<>();
            here.forEach(element -> step(element, name, next));
            if (next.isEmpty()) {
                throw path.refuse("FHIR R4 has no such element in " + type + ".");
            }
            here = next;
        }
        return here;
    }

    private static void step(Element element, String name, Set<Element> next) {
        if (element.repeats()) {
            if (name.matches("-|0|[1-9][0-9]{0,8}")) {
                next.add(element.single());
            }
            return;
        }
        List<Map<String, Element>> within = new ArrayList<>();
        if (element.kind() == Kind.COMPLEX) {
            within.add(Definitions.of(element.type()));
        } else if (!element.scalar() && !(element.kind() == Kind.CONTAINED && name.equals("contained"))) {
            Definitions.resources().forEach(within::add);
        }
        for (Map<String, Element> elements : within) {
            Element found = Definitions.element(elements, name);
            if (found != null) {
                next.add(found);
            }
        }
    }
}
