package org.fhirstack.gateway.fhir;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.BooleanNode;
import com.fasterxml.jackson.databind.node.DecimalNode;
import com.fasterxml.jackson.databind.node.NullNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.fasterxml.jackson.databind.node.TextNode;
import java.math.BigDecimal;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Random;
import org.fhirstack.gateway.Json;

/** Documents that are almost FHIR: a good one with a change, or three, that one reader may see and another not. */
final class Mutations {
    private static final int CHANGES = 19;
    private final Random random;

    Mutations(long seed) {
        random = new Random(seed);
    }

    /** A changed copy of a document, as text. */
    String of(JsonNode document) {
        JsonNode copy = document.deepCopy();
        for (int left = random.nextInt(4) == 0 ? 3 : 1; left > 0; left--) {
            List<ObjectNode> objects = new ArrayList<>();
            collect(copy, objects);
            change(objects.get(random.nextInt(objects.size())), objects);
        }
        StringBuilder text = new StringBuilder(random.nextInt(40) == 0 ? "\ufeff" : "");
        write(copy, text);
        return text.toString();
    }

    private static void collect(JsonNode node, List<ObjectNode> objects) {
        if (node instanceof ObjectNode object && !object.isEmpty()) {
            objects.add(object);
        }
        node.forEach(child -> collect(child, objects));
    }

    private void change(ObjectNode object, List<ObjectNode> all) {
        List<String> keys = new ArrayList<>();
        object.fieldNames().forEachRemaining(keys::add);
        String key = keys.get(random.nextInt(keys.size()));
        JsonNode value = object.get(key);
        switch (random.nextInt(CHANGES)) {
            case 0, 1 -> object.set(key, Json.array().add(value));
            case 2 -> object.set(key, Json.array().add(Json.array().add(value)));
            case 3 -> object.set(key, value.isArray() && !value.isEmpty() ? value.get(0) : Json.array());
            case 4 -> object.set(key, Json.object().set(key, value));
            case 5 -> {
                object.remove(key);
                object.set(random.nextBoolean() ? key.toUpperCase(Locale.ROOT) : key.substring(0, 1).toUpperCase(
                        Locale.ROOT) + key.substring(1), value);
            }
            case 6 -> object.set("_" + key, random.nextBoolean() ? value : beside());
            case 7 -> {
                object.remove(key);
                object.set("_" + key, Json.array().add(beside()).add(beside()));
            }
            case 8 -> object.set(key, scalar());
            case 9 -> object.set(key, Json.object().set("value", value));
            case 10 -> object.set(key + "Resource", value.isObject() ? value : reference());
            case 11 -> object.set("extension", Json.array().add(Json.object().put("url", "u").set(random.nextBoolean()
                    ? "valueReference" : "valueResource", reference())));
            case 12 -> object.set(random.nextBoolean() ? "contained" : "resource", Json.array().add(Json.object()
                    .put("resourceType", "Group").put("id", "in").set("managingEntity", reference())));
            case 13 -> object.put("resourceType", random.nextBoolean() ? "Patient" : "Reference");
            case 14 -> object.set(key, TextNode.valueOf(" " + value.asText() + "\u00a0\t"));
            case 15 -> object.set("reference", random.nextBoolean() ? TextNode.valueOf(search())
                    : Json.array().add(search()));
            case 16 -> item(value, all);
            case 17 -> object.set("meta", Json.object().set("tag", Json.array().add(tag()).add(Json.array()
                    .add(tag()))));
            default -> all.get(random.nextInt(all.size())).set(key, value.deepCopy());
        }
    }

    private void item(JsonNode value, List<ObjectNode> all) {
        if (value instanceof ArrayNode list) {
            ObjectNode other = all.get(random.nextInt(all.size()));
            list.insert(random.nextInt(list.size() + 1), switch (random.nextInt(4)) {
                case 0 -> NullNode.getInstance();
                case 1 -> Json.array().add(other.deepCopy());
                case 2 -> tag();
                default -> other.deepCopy();
            });
        }
    }

    private JsonNode scalar() {
        return switch (random.nextInt(6)) {
            case 0 -> NullNode.getInstance();
            case 1 -> BooleanNode.TRUE;
            case 2 -> DecimalNode.valueOf(new BigDecimal("5.0"));
            case 3 -> TextNode.valueOf("5");
            case 4 -> TextNode.valueOf("");
            default -> TextNode.valueOf(search());
        };
    }

    private static ObjectNode beside() {
        return Json.object().put("id", "b").set("extension", Json.array().add(Json.object().put("url", "u")
                .set("valueReference", Json.object().put("reference", "Patient/beside"))));
    }

    private JsonNode reference() {
        return Json.object().put("reference", search());
    }

    private String search() {
        return (random.nextBoolean() ? "https://fhir.example.org/fhir/" : "") + "Patient?gender=male";
    }

    private JsonNode tag() {
        return Json.object().put("system", "https://smartregister.org/care-team-tag-id").put("code", "team-b");
    }

    /** Writes JSON, now and then with an escape in a key, a key twice or a comment. */
    private void write(JsonNode node, StringBuilder text) {
        if (node.isObject()) {
            text.append('{');
            for (Iterator<Map.Entry<String, JsonNode>> i = node.properties().iterator(); i.hasNext();) {
                Map.Entry<String, JsonNode> member = i.next();
                text.append(key(member.getKey())).append(':');
                write(member.getValue(), text);
                if (random.nextInt(2000) == 0) {
                    text.append(',').append(key(member.getKey())).append(":\"twice\"");
                }
                text.append(i.hasNext() ? "," : "");
            }
            text.append(random.nextInt(2000) == 0 ? "/* */}" : "}");
        } else if (node.isArray()) {
            text.append('[');
            for (int i = 0; i < node.size(); i++) {
                text.append(i == 0 ? "" : ",");
                write(node.get(i), text);
            }
            text.append(']');
        } else {
            text.append(node);
        }
    }

    private String key(String name) {
        String quoted = TextNode.valueOf(name).toString();
        return name.isEmpty() || random.nextInt(20) > 0 || quoted.length() != name.length() + 2 ? quoted
                : "\"" + String.format("\\u%04x", (int) name.charAt(0)) + name.substring(1) + "\"";
    }
}
