package org.fhirstack.gateway.fhir;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.BooleanNode;
import com.fasterxml.jackson.databind.node.DecimalNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.fasterxml.jackson.databind.node.TextNode;
import java.math.BigDecimal;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;
import org.fhirstack.gateway.ElementPath;
import org.fhirstack.gateway.Json;
import org.fhirstack.gateway.fhir.Definitions.Element;

/**
 * Checks that a document has FHIR's own shape: what is judged here is read again by HAPI, whose parser also takes
 * shapes that FHIR does not have, and would see in them what was not judged.
 *
 * <p>What clients send beside FHIR and HAPI reads in one way only is written as FHIR has it, in place: no null, a lone
 * scalar or a lone value of a data type in a list where FHIR has a list (FHIR Web's alias of a location, the coding of
 * the importer's products), a number given as text (its quantities), codes without spaces around them. So is what HAPI's parser would lose: extensions beside items that have no value.
 */
public final class Structure {
    private static final Pattern NUMBER = Pattern.compile("-?[0-9]{1,40}(\\.[0-9]{1,40})?([eE][+-]?[0-9]{1,2})?");
    private static final Pattern ID = Pattern.compile("[A-Za-z0-9.-]*");
    private static final String TYPE = "resourceType";

    private Structure() {
    }

    /** Checks a resource; 400 names the first element that is not FHIR's. */
    public static void check(JsonNode resource) {
        resource(resource, ElementPath.of(resource.path(TYPE).asText("resource")), false);
    }

    private static void resource(JsonNode node, ElementPath path, boolean contained) {
        JsonNode type = node.path(TYPE);
        if (!node.isObject() || !type.isTextual() || !Definitions.resource(type.asText())) {
            throw path.refuse("a resource with a resourceType of FHIR R4 must stand here.");
        }
        if (contained && node.has("contained")) {
            throw path.refuse("a contained resource cannot contain resources.");
        }
        object((ObjectNode) node, Definitions.of(type.asText()), path, true);
        if (!ID.matcher(node.path("id").asText("")).matches()) {
            // HAPI would take an address apart and use its last part.
            throw path.member("id").refuse("an id has only letters, digits, hyphens and dots.");
        }
    }

    private static void object(ObjectNode object, Map<String, Element> elements, ElementPath path, boolean resource) {
        List<String> beside = new ArrayList<>(0);
        Map<String, String> chosen = new HashMap<>(2);
        for (Iterator<Map.Entry<String, JsonNode>> members = object.properties().iterator(); members.hasNext();) {
            Map.Entry<String, JsonNode> member = members.next();
            String name = member.getKey();
            if (resource && name.equals(TYPE)) {
                continue;
            }
            Element element = Definitions.element(elements, name);
            if (element == null) {
                throw path.member(name).refuse("FHIR R4 has no such element here.");
            }
            if (member.getValue().isNull()) {
                members.remove();
                continue;
            }
            if (!element.choice().isEmpty()) {
                String value = name.startsWith("_") ? name.substring(1) : name;
                if (!value.equals(chosen.merge(element.choice(), value, (first, second) -> first))) {
                    throw path.member(name).refuse("FHIR has one value of " + element.choice() + "[x].");
                }
            }
            member.setValue(value(member.getValue(), element, path.member(name)));
            if (element.repeats() && name.startsWith("_")) {
                beside.add(name);
            }
        }
        beside.forEach(name -> fill(object, name));
    }

    /** Gives each extension in {@code _name} an item in {@code name} to stand beside, as FHIR wants it. */
    private static void fill(ObjectNode object, String name) {
        ArrayNode values = object.withArray("/" + name.substring(1));
        while (values.size() < object.path(name).size()) {
            values.addNull();
        }
    }

    /** Checks the whole value of an element and returns it as FHIR has it. */
    static JsonNode value(JsonNode value, Element element, ElementPath path) {
        if (!element.repeats()) {
            if (value.isArray()) {
                throw path.refuse("a list stands where FHIR has one value.");
            }
            return one(value, element, path);
        }
        if (!value.isArray()) {
            if (value.isObject() ? !element.dataType() : !element.scalar()) {
                throw path.refuse("FHIR has a list here.");
            }
            return Json.array().add(one(value, element, path));
        }
        ArrayNode list = (ArrayNode) value;
        for (int i = 0; i < list.size(); i++) {
            if (!list.get(i).isNull() || !element.sparse()) {
                list.set(i, one(list.get(i), element, path.item(i)));
            }
        }
        return list;
    }

    /** Checks a single value, or one item of a list. */
    static JsonNode one(JsonNode value, Element element, ElementPath path) {
        switch (element.kind()) {
            case RESOURCE, CONTAINED -> resource(value, path, element.kind() == Definitions.Kind.CONTAINED);
            case COMPLEX -> {
                if (!value.isObject()) {
                    throw path.refuse("FHIR has an object here.");
                }
                object((ObjectNode) value, Definitions.of(element.type()), path, false);
            }
            default -> {
                return scalar(value, element.kind(), path);
            }
        }
        return value;
    }

    private static JsonNode scalar(JsonNode value, Definitions.Kind kind, ElementPath path) {
        String text = value.isTextual() ? value.asText() : null;
        switch (kind) {
            case NUMBER -> {
                if (text != null && NUMBER.matcher(text).matches()) {
                    return DecimalNode.valueOf(new BigDecimal(text));
                } else if (!value.isNumber() && !"".equals(text)) {
                    throw path.refuse("FHIR has a number here.");
                }
            }
            case BOOLEAN -> {
                if ("true".equals(text) || "false".equals(text)) {
                    return BooleanNode.valueOf(text.equals("true"));
                } else if (!value.isBoolean() && !"".equals(text)) {
                    throw path.refuse("FHIR has true or false here.");
                }
            }
            default -> {
                if (text == null) {
                    throw path.refuse("FHIR has a text here.");
                } else if (kind == Definitions.Kind.CODE && !text.equals(text.trim())) {
                    return TextNode.valueOf(text.trim());
                }
            }
        }
        return value;
    }
}
